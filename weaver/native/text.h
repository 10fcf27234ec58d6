#ifndef WEAVER_TEXT_H
#define WEAVER_TEXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *squeezed(PyObject *module, PyObject *text);

#endif
