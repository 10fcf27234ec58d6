#ifndef WEAVER_CENSUS_H
#define WEAVER_CENSUS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* Whether a tree may be built of the page at all; `is_sure`: whether the worst order of its tags is cheap as well. */
bool has_few_roots(const Py_buffer *markup, const Py_buffer *kinds, int max_depth, bool *is_sure);

PyObject *census(PyObject *module, PyObject *arguments);

#endif
