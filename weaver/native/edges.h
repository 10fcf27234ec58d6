#ifndef WEAVER_EDGES_H
#define WEAVER_EDGES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *sum_of_lines(PyObject *module, PyObject *arguments);

#endif
