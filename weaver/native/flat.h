#ifndef WEAVER_FLAT_H
#define WEAVER_FLAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *read_flat(PyObject *module, PyObject *arguments);

/* Whether a page has more attributes than a tree may have. */
PyObject *is_wide(PyObject *module, PyObject *markup);

#endif
