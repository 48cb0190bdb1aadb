/* line: any words, a NUL byte between them, as a command line; those of the form DISTLOG_NAME=VALUE
 * in front are the environment. No command runs. Wrong usage is reported; what is accepted is
 * settings that, written as YAML, are accepted again and are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "../../cmd/command_line.h"
#include "../../cmd/commands.h"
#include "../../cmd/settings.h"
#include "../../lib/base/mem.h"
#include "../../lib/conf/conf_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
void __wrap_log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t n_logged;
static struct cmd_sections sections;

static void check(bool holds) {
    if (!holds)
        abort();
}

void __wrap_log_write(const struct log *log, enum log_level level, const char *format, ...) {
    char text[2048];
    (void)level;
    va_list args;
    va_start(args, format);
    check(vsnprintf(text, sizeof text, format, args) > 0 && log->prefix);
    va_end(args);
    n_logged++;
}

static bool has_secret(const struct conf *conf) {
    static const char *const keys[] = {"collect.auth.password",
                                       "collect.auth.token",
                                       "node.password",
                                       "node.token",
                                       "bus.kafka.properties",
                                       "store.elasticsearch.password",
                                       "store.elasticsearch.api_key"};
    struct buf text = {0};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct setting *v = conf_find(conf, keys[i]);
        check(v && v->row->bits & OPT_SECRET);
        conf_print(v, &text);
    }
    bool secret = strstr(text.p, "******") != NULL;
    buf_release(&text);
    return secret;
}

static void same_again(const struct conf *conf) {
    struct conf *again = conf_new(sections.list);
    struct buf one = {0}, two = {0};
    struct err err = {""};
    conf_write(conf, false, &one);
    check(conf_yaml_text(again, buf_view(&one), "written", &err) == 0);
    conf_write(again, false, &two);
    check(has_secret(conf) || span_eq(buf_view(&one), buf_view(&two)));
    conf_free(again);
    buf_release(&one);
    buf_release(&two);
}

/* Loads the settings that the line asks for, but reads no file that is not named. */
static enum exit_code load(struct command_line *l) {
    struct notify notify = {0};
    struct run run = {.conf = conf_new(sections.list), .log = l->log, .notify = &notify};
    struct settings_file file = {.path = l->config_file, .is_chosen = true};
    if (file.path && !*file.path)
        file.path = NULL;
    const enum exit_code code = settings_load(l, &file, &run);
    if (code == EXIT_DONE)
        same_again(run.conf);
    conf_free(run.conf);
    return code;
}

/* Everything that main() does but run the command. */
static void run_line(int argc, char **argv) {
    static struct command_line l;
    memset(&l, 0, sizeof l);
    n_logged = 0;
    enum exit_code code = command_line_read(&l, commands_all, argc, argv);
    const bool runs = l.cmd && !l.wants_help && !l.wants_version;
    if (code == EXIT_DONE && runs)
        code = command_line_check_operands(&l);
    if (code == EXIT_DONE && runs)
        code = load(&l);
    check(code == (n_logged > 0 ? EXIT_USAGE : EXIT_DONE));
    command_line_release(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    enum { WORDS = 20 };
    static char own[] = "distlog";
    char *argv[WORDS + 2] = {own}, *env[WORDS];
    int argc = 1, set = 0;
    if (!sections.list[0])
        cmd_sections_init(&sections, commands_all);
    struct span in = {(const char *)bytes, n}, word;
    while (argc + set <= WORDS && span_next(&in, '\0', &word)) {
        char *text = mem_strndup(word.p, word.n), *equals = strchr(text, '=');
        if (argc == 1 && equals && strncmp(text, "DISTLOG_", 8) == 0) {
            *equals = '\0';
            setenv(text, equals + 1, 1);
            env[set++] = text;
        } else {
            argv[argc++] = text;
        }
    }
    run_line(argc, argv);
    while (set) {
        unsetenv(env[--set]);
        free(env[set]);
    }
    while (argc > 1)
        free(argv[--argc]);
    return 0;
}
