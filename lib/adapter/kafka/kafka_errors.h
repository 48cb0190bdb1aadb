/* kafka_errors: what an error of librdkafka means for the user: whether waiting helps, why it
 * happened, and which setting to change. Owns nothing. Thread of the client's owner. Callers: the
 * other files of this folder. SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "kafka_client.h"

/* Fills err with the brokers, what failed, why and what to do about it. doing completes "cannot",
 * such as "read nodes". BUS_FATAL for what waiting does not cure (not authorized, unsupported,
 * fenced), else BUS_RETRY. */
enum bus_rc kafka_errors_explain(const struct kafka_client *c, rd_kafka_resp_err_t code,
                                 const char *doing, struct err *err);
/* BUS_FATAL, with the reason why the client was given up: c->fatal must be set. */
enum bus_rc kafka_errors_given_up(const struct kafka_client *c, struct err *err);
