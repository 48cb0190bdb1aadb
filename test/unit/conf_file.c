/* conf_file: whether others may change a file, judged by its owner and mode, its folder and the
 * links that lead to it. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/conf/conf_file.h"
#include "../../lib/conf/conf_yaml.h"

enum { CALLER = 1000, OTHER = 1001, USERS = 100 };

static enum conf_risk risk(mode_t mode, uid_t uid, gid_t gid) {
    const struct stat st = {.st_mode = mode, .st_uid = uid, .st_gid = gid};
    return conf_file_risk(&st, CALLER);
}

static void only_root_and_the_caller_are_trusted_owners(void **state) {
    (void)state;
    assert_int_equal(risk(S_IFREG | 0600, CALLER, CALLER), CONF_RISK_NONE);
    assert_int_equal(risk(S_IFREG | 0644, 0, 0), CONF_RISK_NONE);
    assert_int_equal(risk(S_IFREG | 0400, OTHER, CALLER), CONF_RISK_OWNER);
    assert_int_equal(risk(S_IFDIR | S_ISVTX | 0755, OTHER, OTHER), CONF_RISK_OWNER);
    assert_int_equal(risk(S_IFLNK | 0777, OTHER, OTHER), CONF_RISK_OWNER);
    const struct stat of_user = {.st_mode = S_IFREG | 0600, .st_uid = CALLER, .st_gid = CALLER};
    assert_int_equal(conf_file_risk(&of_user, 0),
                     CONF_RISK_OWNER); /* root can read it, but does not trust its owner */
}

static void writable_by_others_is_a_risk(void **state) {
    (void)state;
    assert_int_equal(risk(S_IFREG | 0664, CALLER, CALLER),
                     CONF_RISK_NONE); /* umask 002 and a private group */
    assert_int_equal(risk(S_IFREG | 0664, 0, 0), CONF_RISK_NONE);
    assert_int_equal(risk(S_IFREG | 0664, CALLER, USERS), CONF_RISK_GROUP);
    assert_int_equal(risk(S_IFREG | 0664, 0, CALLER), CONF_RISK_GROUP);
    assert_int_equal(risk(S_IFREG | 0646, CALLER, CALLER), CONF_RISK_WORLD);
    assert_int_equal(risk(S_IFREG | 0666, CALLER, USERS), CONF_RISK_WORLD);
    assert_int_equal(risk(S_IFREG | S_ISVTX | 0666, CALLER, CALLER), CONF_RISK_WORLD);
    assert_int_equal(risk(S_IFIFO | 0666, CALLER, CALLER), CONF_RISK_WORLD);
    assert_int_equal(risk(S_IFDIR | 0775, CALLER, USERS), CONF_RISK_GROUP);
    assert_int_equal(risk(S_IFDIR | 0777, 0, 0), CONF_RISK_WORLD);
    assert_int_equal(risk(S_IFDIR | S_ISVTX | 0777, 0, 0), CONF_RISK_NONE);
    assert_int_equal(risk(S_IFLNK | 0777, CALLER, CALLER), CONF_RISK_NONE);
    assert_int_equal(risk(S_IFCHR | 0666, 0, 0), CONF_RISK_NONE);
}

/* Makes and enters a temporary folder with the file x/f and symbolic links to it. */
static int enter(void **state) {
    static char folder[64];
    snprintf(folder, sizeof folder, "%s/conf_file.XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    *state = mkdtemp(folder);
    FILE *f = NULL;
    if (chdir(folder) == 0 && mkdir("x", 0755) == 0)
        f = fopen("x/f", "w");
    if (!f)
        return -1;
    fputs("shop: {weights: {Plug.Path: /x}}\n", f);
    fclose(f);
    return chmod("x", 0755) || chmod("x/f", 0644) || symlink("x/f", "link") ||
           symlink("loop", "loop") || symlink("link", "further");
}

static int leave(void **state) {
    unlink("x/f");
    unlink("link");
    unlink("loop");
    unlink("further");
    rmdir("x");
    return chdir("/") || rmdir(*state);
}

static void opens(const char *path, const char *says, const char *cure) {
    struct conf_file f;
    struct err err = {0};
    int safe = *says ? -1 : 0;
    assert_int_equal(conf_file_open(&f, path, false, &err), 0);
    assert_string_equal(f.risk.p ? f.risk.p : "", says);
    assert_string_equal(f.cure.p ? f.cure.p : "", cure);
    assert_true(f.fd >= 0);
    conf_file_release(&f);
    assert_int_equal(conf_file_open(&f, path, true, &err), safe);
    assert_true(safe ? f.fd < 0 : f.fd >= 0);
    conf_file_release(&f);
}

static void folders_and_links_on_the_path_are_checked_too(void **state) {
    (void)state;
    opens("x/f", "", "");
    opens("further", "", "");
    assert_int_equal(chmod("x/f", 0646), 0);
    opens("x/f", "it is writable by everyone, mode 0646", "run chmod go-w x/f");
    opens("further", "it is writable by everyone, mode 0646", "run chmod go-w ./x/f");
    assert_int_equal(chmod("x/f", 0644), 0);
    assert_int_equal(chmod("x", 0757), 0);
    opens("x/f", "its folder x is writable by everyone, mode 0757", "run chmod go-w x");
    opens("further", "its folder ./x is writable by everyone, mode 0757", "run chmod go-w ./x");
    assert_int_equal(chmod("x", 01757), 0);
    opens("further", "", "");
    assert_int_equal(chmod(".", 0777), 0);
    opens("x/f", "", "");
    opens("further", "its folder . is writable by everyone, mode 0777", "run chmod go-w .");
    assert_int_equal(chmod(".", 0700), 0);
    opens("/dev/null", "", "");
}

static void a_missing_file_is_reported(void **state) {
    (void)state;
    static const char *const names[][2] = {{"", "No such file or directory"},
                                           {"y/f", "No such file or directory"},
                                           {"x/g", "No such file or directory"},
                                           {"x/f/", "Not a directory"},
                                           {"loop", "Too many levels of symbolic links"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct conf_file f;
        struct err err = {0};
        struct buf says = {0};
        buf_printf(&says, "cannot read %s: %s", names[i][0], names[i][1]);
        assert_int_equal(conf_file_open(&f, names[i][0], true, &err), -1);
        assert_string_equal(err.text, says.p);
        assert_int_equal(f.risk.n, 0);
        conf_file_release(&f);
        buf_release(&says);
    }
}

/* A file without a name can only come from the caller: a pipe that a shell passes as /dev/fd/63,
 * or a file that was deleted. */
static void files_without_a_name_are_trusted(void **state) {
    (void)state;
    int pipes[2];
    char path[32];
    assert_int_equal(pipe(pipes), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", pipes[0]);
    opens(path, "", "");
    FILE *f = tmpfile();
    assert_non_null(f);
    snprintf(path, sizeof path, "/dev/fd/%d", fileno(f));
    opens(path, "", "");
    fclose(f);
    close(pipes[0]);
    close(pipes[1]);
}

/* However the name of such an item is spelled. */
static void items_that_load_code_are_refused_from_an_unsafe_file(void **state) {
    (void)state;
    struct shop {
        struct str_map weights;
    };
    static const char *const names[] = {"plug.path", "engine.", NULL};
    static const struct opt rows[] = {OPT(struct shop, MAP, weights, "", .code = names)};
    static const struct opt_section shop = OPT_SECTION("shop", "", rows, struct shop);
    static const struct opt_section *const sections[] = {&shop, NULL};
    struct err err = {0};

    assert_true(opt_is_code(rows, "plug.path") && opt_is_code(rows, "PLUG.Path"));
    assert_true(opt_is_code(rows, "engine.id") && opt_is_code(rows, "engine."));
    assert_false(opt_is_code(rows, "plug.paths") || opt_is_code(rows, "plug") ||
                 opt_is_code(rows, "engine"));
    assert_false(opt_is_code(&(struct opt){.name = "x"}, "plug.path"));

    struct conf *c = conf_new(sections);
    assert_int_equal(conf_yaml_file(c, "x/f", true, &err), 0);
    assert_int_equal(chmod("x/f", 0666), 0);
    assert_int_equal(conf_yaml_file(c, "x/f", true, &err), -1);
    assert_string_equal(
        err.text, "x/f:1: shop.weights: Plug.Path can run code, which is refused from this file "
                  "because it is writable by everyone, mode 0666; run chmod go-w x/f, or "
                  "set it with -o or in the environment");
    assert_int_equal(conf_yaml_file(c, "x/f", false, &err), -1);
    assert_string_equal(err.text,
                        "./x/f: refused because it is writable by everyone, mode 0666; use "
                        "-c ./x/f to read it anyway, or run chmod go-w x/f");
    assert_int_equal(chmod("x/f", 0644), 0);
    conf_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_root_and_the_caller_are_trusted_owners),
        cmocka_unit_test(writable_by_others_is_a_risk),
        cmocka_unit_test_setup_teardown(folders_and_links_on_the_path_are_checked_too, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(a_missing_file_is_reported, enter, leave),
        cmocka_unit_test_setup_teardown(files_without_a_name_are_trusted, enter, leave),
        cmocka_unit_test_setup_teardown(items_that_load_code_are_refused_from_an_unsafe_file, enter,
                                        leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
