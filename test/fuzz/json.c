/* json: any bytes as JSON text, compared with jansson. SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct arena arena = {0};
    const char *differs = twin_differs((struct span){(const char *)bytes, n}, &arena);
    if (differs) {
        fprintf(stderr, "%s\n", differs);
        abort();
    }
    arena_release(&arena);
    return 0;
}
