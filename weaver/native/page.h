#ifndef WEAVER_PAGE_H
#define WEAVER_PAGE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *read_page(PyObject *module, PyObject *arguments);

#endif
