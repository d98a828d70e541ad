#include "core/base/yaml/yaml_node.h"

#include "tests/support/catch.h"

using namespace wkvq;
using wkvq::test::TemporaryFolder;
using wkvq::test::write_file;

namespace {

YamlNode scalar_of(const std::string& text) {
  return parse_yaml(text, "s");
}

}  // namespace

TEST_CASE("values know where they stand") {
  const YamlNode root = parse_yaml("name: x\nmethod:\n  weight: {bits: 4}\n", "dir/sweep.yaml");
  REQUIRE(root.is_map());
  REQUIRE(root.entries.size() == 2);
  const YamlEntry* method = root.find("method");
  REQUIRE(method);
  CHECK(method->key.where() == "dir/sweep.yaml:2:1");
  const YamlEntry* bits = method->value.find("weight")->value.find("bits");
  REQUIRE(bits);
  CHECK(bits->key.where() == "dir/sweep.yaml:3:12");
  CHECK(bits->value.where() == "dir/sweep.yaml:3:18");
  CHECK(bits->value.text == "4");
  CHECK_FALSE(root.find("absent"));
}

TEST_CASE("a piece of the command line has no lines") {
  const YamlNode root = parse_yaml_argument("{bits: 4}", "--set 'method={bits: 4}'");
  CHECK(root.find("bits")->value.where() == "--set 'method={bits: 4}'");
}

TEST_CASE("integers are written as integers") {
  CHECK(scalar_of("4").integer() == 4);
  CHECK(scalar_of("-1").integer() == -1);
  CHECK(scalar_of("0").integer() == 0);
  CHECK(scalar_of("-9223372036854775808").integer() == INT64_MIN);
  for (const char* text : {"4.0", "'4'", "\"4\"", "4e0", "0x4", "010", "+4", "1_000", "four",
                           "true", "9223372036854775808", "4 5", "[4]", "{a: 4}", "~", "-"}) {
    INFO(text);
    CHECK_FALSE(scalar_of(text).integer());
  }
}

TEST_CASE("numbers are finite") {
  CHECK(scalar_of("1e-5").number() == 1e-5);
  CHECK(scalar_of("1.0e-2").number() == 0.01);
  CHECK(scalar_of("-.5").number() == -0.5);
  CHECK(scalar_of("3").number() == 3.0);
  for (const char* text : {".inf", "inf", "-.inf", ".nan", "nan", "1e400", "'1'", "1,5", "1e",
                           "0x1p3", "1 2", "--1", "true"}) {
    INFO(text);
    CHECK_FALSE(scalar_of(text).number());
  }
}

TEST_CASE("booleans are true and false") {
  CHECK(scalar_of("true").boolean() == true);
  CHECK(scalar_of("false").boolean() == false);
  for (const char* text : {"yes", "no", "on", "True", "'true'", "1", "y"}) {
    INFO(text);
    CHECK_FALSE(scalar_of(text).boolean());
  }
}

TEST_CASE("aliases are expanded to values of their own") {
  YamlNode root = parse_yaml("a: &x {bits: 4}\nb: *x\n", "s");
  root.find("a")->value.find("bits")->value.text = "3";
  CHECK(root.find("b")->value.find("bits")->value.text == "4");
  CHECK(root.find("b")->value.find("bits")->value.where() == "s:1:14");
}

TEST_CASE("a key given twice is refused with both places") {
  REQUIRE_CONFIG_ERROR(parse_yaml("a: 1\nb: 2\na: 3\n", "s.yaml"),
                       "s.yaml:3:1: key 'a' is given twice, first at s.yaml:1:1");
  REQUIRE_CONFIG_ERROR(parse_yaml("m:\n  w:\n    bits: 4\n    bits: 3\n", "s.yaml"),
                       "s.yaml:4:5: m.w: key 'bits' is given twice, first at s.yaml:3:5");
  REQUIRE_CONFIG_ERROR(parse_yaml("e: [{t: 1}, {t: 2, \"t\": 3}]", "s.yaml"),
                       "s.yaml:1:20: e.1: key 't' is given twice, first at s.yaml:1:14");
}

TEST_CASE("YAML that would be read otherwise elsewhere is refused by name") {
  REQUIRE_CONFIG_ERROR(parse_yaml("a: &x {b: 1}\nc:\n  <<: *x\n", "s"),
                       "s:3:3: c: merge keys ('<<') are not supported");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: !!int 4", "s"), "s:1:4: a: the tag 'tag:yaml.org,2002:int'");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: !x [4]", "s"), "the tag");
  REQUIRE_CONFIG_ERROR(parse_yaml("? [a]\n: b", "s"), "a list as a key");
  REQUIRE_CONFIG_ERROR(parse_yaml("? {a: b}\n: b", "s"), "a map as a key");
  REQUIRE_CONFIG_ERROR(parse_yaml("~: 3", "s"), "a value without a key");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: &x b\n*x : 3", "s"), "an alias as a key");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: 1\n---\nb: 2\n", "s"), "s:2:1: a second document");
}

TEST_CASE("what is not YAML is refused with its place") {
  REQUIRE_CONFIG_ERROR(parse_yaml("", "s"), "s: empty, expected YAML");
  REQUIRE_CONFIG_ERROR(parse_yaml("# only a remark\n", "s"), "s: empty");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: [1, 2\nb: 3\n", "s"), "s:2:2: not valid YAML");
  for (const char* open : {"a: \"x", "a: \"x\n", "a: 'x\n\n", "a: [4\n", "a: {b: 4\n"}) {
    REQUIRE_CONFIG_ERROR(parse_yaml(open, "s"), "not valid YAML");
  }
  REQUIRE_CONFIG_ERROR(parse_yaml("[4", "s"), "s:1:1: a list as a key (or an open bracket)");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: *nobody", "s"), "s:1:4: not valid YAML");
  REQUIRE_CONFIG_ERROR(parse_yaml("a:\n\tb: 1\n", "s"), "s:2:3: not valid YAML: indented by a tab");
}

TEST_CASE("bytes that are not text are refused with their place") {
  using namespace std::string_literals;
  REQUIRE_CONFIG_ERROR(parse_yaml("a: \0"s, "s"), "s:1:4: byte 0x00 is not text");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: 1\nb: \xe9\n", "s"), "s:2:4: byte 0xe9 is not text");
  for (const char* bytes : {"\xff\xfe", "\xc0\xaf", "\xed\xa0\x80", "\xe0\x80\x80",
                            "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xc3", "\x80", "\x7f"}) {
    REQUIRE_CONFIG_ERROR(parse_yaml(bytes, "s"), "s:1:1: byte 0x");
  }
  REQUIRE_CONFIG_ERROR(parse_yaml("a: \"\\0\"", "s"), "a: a control character");
  CHECK(parse_yaml("a: \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "s").find("a")->value.text ==
        "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST_CASE("nesting and size are bounded") {
  const auto nested = [](size_t depth) {
    return "a: " + std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_yaml(nested(60), "s").is_map());
  REQUIRE_CONFIG_ERROR(parse_yaml(nested(70), "s"), "nested deeper than 64 levels");
  for (const char* piece : {"[", "{", "- ", "{a: ", "? "}) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += piece;
    INFO(piece);
    CHECK_FALSE(test::error_of([&] { parse_yaml(text, "s"); }).empty());
  }
}

TEST_CASE("aliases cannot multiply without bound") {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'z'; ++name) {
    bomb += fmt::format("{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]\n", name,
                        static_cast<char>(name - 1));
  }
  REQUIRE_CONFIG_ERROR(parse_yaml(bomb, "s"), "more than 100000 values");
  std::string tower = "a0: &a0 x\n";
  for (int i = 1; i < 80; ++i) tower += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  REQUIRE_CONFIG_ERROR(parse_yaml(tower, "s"), "nested deeper than 64 levels");
  REQUIRE_CONFIG_ERROR(parse_yaml("a: &a [*a]", "s"),
                       "a.0: an alias inside the value that it names");
}

TEST_CASE("files that cannot be a configuration are refused by name") {
  TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(read_yaml(folder / "absent.yaml"), "absent.yaml: no such file");
  REQUIRE_CONFIG_ERROR(read_yaml(folder.path()), "a folder, expected a regular file");
  write_file(folder / "large.yaml", std::string((1 << 20) + 1, '#'));
  REQUIRE_CONFIG_ERROR(read_yaml(folder / "large.yaml"), "1048577 bytes, expected at most 1048576");
  write_file(folder / "good.yaml",
             "\xef\xbb\xbf"
             "a: 1\n");  // a byte order mark is no fault
  CHECK(read_yaml(folder / "good.yaml").find("a")->value.integer() == 1);
}
