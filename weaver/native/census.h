#ifndef WEAVER_CENSUS_H
#define WEAVER_CENSUS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* Whether a tree may be built of the page, by the numbers of its tags alone. */
bool has_few_tags(const Py_buffer *markup, const Py_buffer *kinds);

PyObject *census(PyObject *module, PyObject *arguments);

#endif
