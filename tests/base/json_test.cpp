#include "core/base/json/json.h"

#include "tests/support/catch.h"

using namespace wkvq;
using test::TemporaryFolder;
using test::write_file;

namespace {

std::string refusal(const std::string& text) {
  return test::error_of([&] { parse_json(text, "f.json"); });
}

std::string nested(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

}  // namespace

TEST_CASE("json: values keep their types to the last bit") {
  const auto json = parse_json(
      R"({"least": -9223372036854775808, "most": 18446744073709551615, "third": 0.1,
          "tiny": 5e-324, "text": "\u00e9\ud83d\ude00\n", "none": null})",
      "f.json");
  CHECK(json["least"].get<int64_t>() == INT64_MIN);
  CHECK(json["most"].get<uint64_t>() == UINT64_MAX);
  CHECK(json["third"].get<double>() == 0.1);
  CHECK(json["tiny"].get<double>() == 5e-324);
  CHECK(json["text"] == "\xc3\xa9\xf0\x9f\x98\x80\n");
  CHECK(json["none"].is_null());
}

TEST_CASE("json: what is not strict JSON is refused under the name of its file") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "{\"a\": 1,}",
                           "[1, 2",
                           "[1 2]",
                           "{a: 1}",
                           "{'a': 1}",
                           "01",
                           "+1",
                           ".5",
                           "1.",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "nul",
                           "True",
                           "// remark\n1",
                           "/* */ 1",
                           "1 2",
                           "\"a\nb\"",
                           "\"\\x41\"",
                           "\"\\ud800\"",
                           "\"\\udc00\\ud800\"",
                           "\"\xff\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "[1]]",
                           "{\"a\"}",
                           "{1: 2}",
                           "1e999"}) {
    INFO(text);
    CHECK(refusal(text).find("f.json: not valid JSON") == 0);
  }
  CHECK(refusal("\xff\xfe{}").find("UTF-16") != std::string::npos);
  CHECK(refusal("\xef\xbb\xbf{}").empty());  // a byte order mark is no fault
}

TEST_CASE("json: a key twice in one object is refused, in two objects it is not") {
  CHECK(refusal(R"({"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})").empty());
  CHECK(refusal(R"({"a": 1, "b": 2, "a": 1})") == "f.json: key 'a' occurs twice in one object");
  CHECK(refusal(R"({"x": [{"y": {}, "y": 0}]})") == "f.json: key 'y' occurs twice in one object");
  // Equal once their escapes are read.
  CHECK(refusal(R"({"a": 1, "\u0061": 2})").find("'a' occurs twice") != std::string::npos);
  CHECK(refusal(R"({"": 1, "": 2})").find("'' occurs twice") != std::string::npos);
}

TEST_CASE("json: nesting is bounded before it can exhaust the stack") {
  CHECK(refusal(nested(100)).empty());
  CHECK(refusal(nested(102)) == "f.json: JSON nested deeper than 100");
  CHECK(refusal(std::string(2'000'000, '[')) == "f.json: JSON nested deeper than 100");
  std::string objects;
  for (int i = 0; i < 200; ++i) objects += "{\"a\":";
  CHECK(refusal(objects).find("nested deeper") != std::string::npos);
}

TEST_CASE("json: an object of 300 000 objects and more values than memory should hold") {
  // With a look through all keys after each of them this would take hours.
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) text += fmt::format("{}\"{}\": {{\"a\": []}}", i ? "," : "", i);
  const auto json = parse_json(text + "}", "f.json");
  CHECK(json.size() == 300'000);
  CHECK(json["299999"]["a"].is_array());
  std::string zeros = "[0";
  for (int i = 0; i < 10'000'000; ++i) zeros += ",0";
  CHECK(refusal(zeros + "]") == "f.json: JSON of more than 10000000 values");
}

TEST_CASE("json: messages quote no more than 200 characters of a file") {
  const std::string name(100'000, 'k');
  CHECK(refusal("{\"" + name + "\": 1, \"" + name + "\": 2}").size() < 300);
  CHECK(refusal("[\"" + name).size() < 400);
}

TEST_CASE("json: files are read whole, up to a limit that is said") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n\xff", 6);
  write_file(folder / "bytes", bytes);
  write_file(folder / "empty", "");
  CHECK(read_text_file(folder / "bytes") == bytes);
  CHECK(read_text_file(folder / "bytes", 6) == bytes);
  CHECK(read_text_file(folder / "empty", 0).empty());
  REQUIRE_CONFIG_ERROR(read_text_file(folder / "bytes", 5), "bytes: 6 bytes, expected at most 5");
  REQUIRE_CONFIG_ERROR(read_text_file(folder / "absent"), "absent: no such file");
  REQUIRE_CONFIG_ERROR(read_text_file(folder.path()), "a folder, expected a regular file");
  write_file(folder / "a.json", "{\"a\": [}");
  REQUIRE_CONFIG_ERROR(read_json_file(folder / "a.json"), "a.json: not valid JSON");
}
