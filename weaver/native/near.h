#ifndef WEAVER_NEAR_H
#define WEAVER_NEAR_H

#include "ascii.h"

/* As in dedupe/sketch.py and dedupe/near_bands.py. */
#define SKETCH_WORDS 6
#define ROW_WORDS (1 + SKETCH_WORDS)
#define BANDS 8
#define SIGNATURE_WORDS (ROW_WORDS + BANDS)

/* What the callers' buffers hold, for `sign`, for `shingle_set` and for `own_text`. */
#define SIGN_WORK_BYTES (8 * (2048 + 64 + 8192) + 2 * (2048 + 4))
#define SHINGLE_RUN_BYTES (8 * (64 + 8192))
#define OWN_TEXT_WORK_BYTES (256 << 10)

/* Texts of more characters are read without the interpreter's lock. */
#define LONG_TEXT (64 << 10)

PyObject *sign(PyObject *module, PyObject *arguments);
PyObject *shingle_set(PyObject *module, PyObject *arguments);
PyObject *near_observe(PyObject *module, PyObject *arguments);
PyObject *near_put(PyObject *module, PyObject *arguments);
PyObject *near_split(PyObject *module, PyObject *arguments);

#endif
