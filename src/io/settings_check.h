/*
 * What a value must look like, and which values do not go together.
 */
#ifndef IO_SETTINGS_CHECK_H
#define IO_SETTINGS_CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "settings_store.h"

/* Each looks at one text by itself; the error says what it must be, such as "must be
 * ADDRESS:PORT". */
bool check_brokers(const char *text, struct error *err);
bool check_visible(const char *text, struct error *err);
bool check_topic(const char *text, struct error *err);
bool check_instance_id(const char *text, struct error *err);
bool check_mechanism(const char *text, struct error *err);
bool check_base_url(const char *text, struct error *err);
bool check_proxy(const char *text, struct error *err);
bool check_listen(const char *text, struct error *err);
bool check_forward_header(const char *text, struct error *err);

/* Whether a librdkafka property may be set by the user; the error says what to use instead. */
bool check_property(const char *name, struct error *err);

/* Checks the settings against each other, once all sources are read. */
void check_together(struct settings_store *store);

/* Whether a host name or address is this machine's own by its very form. */
bool host_is_loopback(const char *host);

#endif
