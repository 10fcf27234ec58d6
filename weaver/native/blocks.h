#ifndef WEAVER_BLOCKS_H
#define WEAVER_BLOCKS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *own_text(PyObject *module, PyObject *arguments);

#endif
