/* input: the verdict on bytes that come from outside. Owns nothing. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

enum input_rc {
    INPUT_OK = 0,
    INPUT_BAD = -1,  /* malformed: err says why and where */
    INPUT_LARGE = -2 /* above a limit: err names the limit */
};
