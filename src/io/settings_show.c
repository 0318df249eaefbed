#include "io/settings.h"

void settings_show(const struct settings *settings, FILE *out)
{
	(void)settings;
	(void)out;
}
