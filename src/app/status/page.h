/*
 * The page: the status page for people, as one HTML document made from the files in page/ at build
 * time.
 */
#ifndef APP_PAGE_H
#define APP_PAGE_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_length;

/* The Content-Security-Policy that allows its own style and script, by their hashes, and nothing
 * else. */
extern const char page_policy[];

#endif
