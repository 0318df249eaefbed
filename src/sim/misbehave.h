/*
 * Misbehave: what each fault does to the reply that a request would have got.
 */
#ifndef SIM_MISBEHAVE_H
#define SIM_MISBEHAVE_H

#include "answer.h"
#include "faults.h"
#include "wire.h"

/* Puts the fault's reply in place of the right one. Faults of other kinds change nothing. */
void misbehave_answer(const struct fault *fault, const char *api_key, struct answer *answer);

/*
 * Writes the script of a fault that no HTTP server would commit, `answer` being the right reply.
 * False for faults that are well-formed replies.
 */
bool misbehave_script(
	const struct fault *fault, const struct answer *answer, struct wire_script *script);

#endif
