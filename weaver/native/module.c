/* weaver.native.compiled: the parts of a page's way that pay for being in C; each has a twin in Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "blocks.h"
#include "census.h"
#include "edges.h"
#include "flat.h"
#include "harvest.h"
#include "near.h"
#include "page.h"
#include "prescan.h"
#include "table.h"
#include "tags.h"
#include "text.h"
#include "urls.h"

static PyMethodDef methods[] = {
    {"read_page", read_page, METH_VARARGS, NULL},
    {"read_flat", read_flat, METH_VARARGS, NULL},
    {"is_wide", is_wide, METH_O, NULL},
    {"census", census, METH_VARARGS, NULL},
    {"found_in_table", found_in_table, METH_VARARGS, NULL},
    {"found_words", found_words, METH_VARARGS, NULL},
    {"joined_plain", joined_plain, METH_VARARGS, NULL},
    {"put_in_table", put_in_table, METH_VARARGS, NULL},
    {"plain_keys", plain_keys, METH_VARARGS, NULL},
    {"meta_attributes", meta_attributes, METH_O, NULL},
    {"squeezed", squeezed, METH_O, NULL},
    {"sum_of_lines", sum_of_lines, METH_VARARGS, NULL},
    {"sign", sign, METH_VARARGS, NULL},
    {"shingle_set", shingle_set, METH_VARARGS, NULL},
    {"own_text", own_text, METH_VARARGS, NULL},
    {"near_observe", near_observe, METH_VARARGS, NULL},
    {"near_put", near_put, METH_VARARGS, NULL},
    {"near_split", near_split, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "compiled", "weaver's compiled parts.", -1, methods, NULL, NULL, NULL, NULL,
};

/* As in loading.py. */
#define INTERFACE 11

PyMODINIT_FUNC PyInit_compiled(void)
{
    tags_init();
    urls_init();
    PyObject *module = harvest_init() ? PyModule_Create(&definition) : NULL;
    if (module
        && (PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) < 0
            || PyModule_AddIntConstant(module, "SIGN_WORK_BYTES", SIGN_WORK_BYTES) < 0
            || PyModule_AddIntConstant(module, "SHINGLE_RUN_BYTES", SHINGLE_RUN_BYTES) < 0
            || PyModule_AddIntConstant(module, "OWN_TEXT_WORK_BYTES", OWN_TEXT_WORK_BYTES) < 0))
        Py_CLEAR(module);
    return module;
}
