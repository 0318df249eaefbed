/*
 * The process: what holds for all of it.
 */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

/* No memory of this process, which holds the key and patient data, ends up in a file or under a
 * debugger. */
void process_keep_memory_private(void);

#endif
