/* input: what becomes of bytes that come from outside. Owns nothing. Any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What became of bytes that came from outside. */
enum input_rc {
    INPUT_OK = 0,
    INPUT_BAD = -1,  /* not what they should be: err says why, and where */
    INPUT_LARGE = -2 /* more than a limit allows: err names it */
};
