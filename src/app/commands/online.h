/*
 * `check --online`: whether what the service needs is there, a line for each thing that is tried.
 */
#ifndef APP_ONLINE_H
#define APP_ONLINE_H

#include <stdbool.h>
#include <stdio.h>

#include "io/settings.h"

/* Tries brokers, topics, rights and the API's address. True where nothing is wrong. */
bool online_try(const struct settings *settings, FILE *out);

#endif
