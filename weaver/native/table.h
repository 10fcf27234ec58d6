#ifndef WEAVER_TABLE_H
#define WEAVER_TABLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *found_in_table(PyObject *module, PyObject *arguments);
PyObject *found_words(PyObject *module, PyObject *arguments);
PyObject *put_in_table(PyObject *module, PyObject *arguments);

#endif
