/*
 * Memory: arrays whose size cannot overflow, and clean-up at the declaration.
 *
 *	CLEANUP(free_pointer) char *text = strdup(name);
 *
 * frees `text` at the end of its scope. A function that hands the value out instead ends with
 * `return take_pointer(text)`.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/* Calls function(&variable) when the variable goes out of scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

/* Frees what the pointer at `pointer` points to; for CLEANUP. */
static inline void free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

/* The value of a pointer, which is NULL afterwards: what CLEANUP guards changes hands. */
#define take_pointer(pointer)                                                                      \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

/* One zeroed object of a type, or NULL. The caller frees it. */
#define mem_new(type) ((type *)calloc(1, sizeof(type)))

/* `count` zeroed objects of a type, or NULL (also where their size overflows). */
#define mem_new_array(type, count) ((type *)calloc((count), sizeof(type)))

/* How many elements an array has. */
#define array_length(array) (sizeof(array) / sizeof((array)[0]))

#endif
