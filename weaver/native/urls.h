#ifndef WEAVER_URLS_H
#define WEAVER_URLS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

void urls_init(void);
PyObject *joined_plain(PyObject *module, PyObject *arguments);
PyObject *plain_keys(PyObject *module, PyObject *arguments);

#endif
