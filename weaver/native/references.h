/* Text of markup with its character references decoded (WHATWG HTML, 13.2.5.72 to 13.2.5.80). */
#ifndef WEAVER_REFERENCES_H
#define WEAVER_REFERENCES_H

#include "buffer.h"

/* Take the names from `html.entities.html5`; false with an error set. Call once before decode_references. */
bool references_init(void);

/* Append what the markup between from and to says; false where memory is out. */
bool decode_references(Buffer *into, const char *from, const char *to, bool is_attribute);

#endif
