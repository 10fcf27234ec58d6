/* weaver.native.compiled: the parts of a page's way that pay for being in C; each has a twin in Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "census.h"
#include "page.h"
#include "prescan.h"
#include "table.h"
#include "text.h"
#include "urls.h"

static PyMethodDef methods[] = {
    {"read_page", read_page, METH_VARARGS, NULL},
    {"census", census, METH_VARARGS, NULL},
    {"found_in_table", found_in_table, METH_VARARGS, NULL},
    {"joined_plain", joined_plain, METH_VARARGS, NULL},
    {"meta_attributes", meta_attributes, METH_O, NULL},
    {"squeezed", squeezed, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "compiled", "weaver's compiled parts.", -1, methods, NULL, NULL, NULL, NULL,
};

/* As in loading.py. */
#define INTERFACE 1

PyMODINIT_FUNC PyInit_compiled(void)
{
    urls_init();
    PyObject *module = page_init() ? PyModule_Create(&definition) : NULL;
    if (module && PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) < 0)
        Py_CLEAR(module);
    return module;
}
