/* SPDX-License-Identifier: MIT */
/* Key files: what is accepted has a safe name and a key of the right form. */
#include "common/keys.h"

#include "common/buf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_pair pair;

    if (key_parse(&pair, size > 0 ? (const char *)data : "", size, "fuzz", NULL) == 0
        && (!name_is_safe(pair.name, KEY_NAME_SIZE - 1) || !key_text_is_valid(pair.public_key)
            || (pair.role != ROLE_OBSERVER && pair.role != ROLE_OPERATOR
                && pair.role != ROLE_SHEEP))) {
        abort();
    }
    return 0;
}
