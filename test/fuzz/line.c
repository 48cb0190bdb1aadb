/* line: any words, a NUL byte between them, as a command line; those of the form DISTLOG_NAME=VALUE
 * in front are the environment. No command runs. What is wrong is said; what is accepted is
 * settings that, written as YAML, are accepted again and are the same. SPDX-License-Identifier:
 * Apache-2.0 */
int distlog_main(int argc, char **argv);
#define main distlog_main /* its parts are what is called here */
#include "../../distlog.c"
#undef main

#include <stdarg.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
void __wrap_log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static size_t said; /* diagnostics; the Makefile links this target with --wrap */

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
    said++;
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
    struct conf *again = conf_new(cmd_sections());
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

/* Everything that main() does but run the command. */
static void run_line(int argc, char **argv) {
    static struct line l;
    l = (struct line){0};
    said = 0;
    int code = read_line(&l, argc, argv);
    if (!code && l.cmd && !l.help && !l.version && (code = check_operands(&l)) == 0) {
        struct conf *conf = conf_new(cmd_sections());
        if (l.run.config_file && !*l.run.config_file)
            l.run.config_file = NULL;
        code = configure(&l, conf);
        if (!code)
            same_again(conf);
        conf_free(conf);
    }
    check(code == (said ? EXIT_USAGE : EXIT_DONE));
    free(l.given);
    buf_release(&l.letters);
    arena_release(&l.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    enum { WORDS = 20 };
    static char own[] = "distlog";
    char *argv[WORDS + 2] = {own}, *env[WORDS];
    int argc = 1, set = 0;
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
