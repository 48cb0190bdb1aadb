/* es_stamp: the @timestamp that store adds to a document as its last member. Its key is spelled
 * with an escape, which distinguishes it from an @timestamp that the record itself has: search
 * removes the one and keeps the other. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define ES_STAMP_KEY "\\u0040timestamp"
