/*
 * Sockets of this machine, for targets that are spoken to.
 */
#ifndef TESTS_FUZZ_SOCKETS_H
#define TESTS_FUZZ_SOCKETS_H

#include "base/bytes.h"

/* A socket that listens at 127.0.0.1; ret_port is the one that was free. */
int fuzz_listen(unsigned *ret_port);

/* A socket connected to 127.0.0.1. */
int fuzz_connect(unsigned port);

/* Sends all of it, as far as the other end takes it, and says that no more will come. */
void fuzz_send_all(int file, struct bytes bytes);

/* Appends what comes until the other end closes. */
void fuzz_receive_all(int file, struct buffer *buffer);

/* Closes it at once, so that a million inputs leave no million ports waiting. */
void fuzz_close(int file);

#endif
