#ifndef WEAVER_PRESCAN_H
#define WEAVER_PRESCAN_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *meta_attributes(PyObject *module, PyObject *start);

#endif
