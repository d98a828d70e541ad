#include "core/base/json/json_fields.h"

#include "tests/support/catch.h"

using namespace wkvq;
using nlohmann::json;

namespace {

/// The message with which `get` refuses {"x": value}; empty where it takes it.
template <class Get>
std::string refusal(const json& value, Get&& get) {
  const json object = {{"x", value}};
  const JsonFields fields(object, "f.json");
  return test::error_of([&] { get(fields); });
}

}  // namespace

TEST_CASE("json fields: integers lie in a closed range and are integers") {
  const auto given = [](const json& value) {
    return refusal(value, [](const JsonFields& fields) { fields.integer("x", -2, 7); });
  };
  for (const json& value : {json(-2), json(0), json(7), json(uint64_t{7})})
    CHECK(given(value) == "");
  const std::string expected = "; expected an integer from -2 to 7";
  CHECK(given(-3) == "f.json: field 'x' is -3" + expected);
  CHECK(given(8) == "f.json: field 'x' is 8" + expected);
  CHECK(given(3.0) == "f.json: field 'x' is 3.0" + expected);
  CHECK(given("3") == "f.json: field 'x' is \"3\"" + expected);
  CHECK(given(true) == "f.json: field 'x' is true" + expected);
  CHECK(given({1}) == "f.json: field 'x' is [1]" + expected);
  CHECK(given(nullptr) == "f.json: field 'x' is missing");
}

TEST_CASE("json fields: an unsigned number beyond 2^63 does not wrap into the range") {
  const auto given = [](uint64_t value) {
    return refusal(value,
                   [](const JsonFields& fields) { fields.integer("x", INT64_MIN, INT64_MAX); });
  };
  CHECK(given(INT64_MAX).empty());
  for (const uint64_t value : {uint64_t{INT64_MAX} + 1, UINT64_MAX}) {
    CHECK(given(value).find(fmt::format("field 'x' is {}; expected an integer", value)) !=
          std::string::npos);
  }
}

TEST_CASE("json fields: numbers are finite and in a closed range, integers are numbers too") {
  const json object = {{"half", 0.5}, {"one", 1}, {"zero", 0.0}, {"nan", NAN}, {"inf", INFINITY}};
  const JsonFields fields(object, "f");
  CHECK(fields.number("half", 0, 1) == 0.5);
  CHECK(fields.number("one", 0, 1) == 1.0);
  CHECK(fields.number("zero", 0, 1) == 0.0);
  REQUIRE_CONFIG_ERROR(fields.number("half", 0.75, 1), "field 'half' is 0.5; expected a number");
  REQUIRE_CONFIG_ERROR(fields.number("one", 0, 0.5), "from 0 to 0.5");
  REQUIRE_CONFIG_ERROR(fields.number("nan", -1e308, 1e308), "expected a number");
  REQUIRE_CONFIG_ERROR(fields.number("inf", -1e308, 1e308), "expected a number");
  REQUIRE_CONFIG_ERROR(fields.number("absent", 0, 1), "field 'absent' is missing");
}

TEST_CASE("json fields: texts and booleans are never converted") {
  const json object = {{"text", ""}, {"yes", true}, {"null", nullptr}, {"one", 1}};
  const JsonFields fields(object, "f");
  CHECK(fields.text("text").empty());
  CHECK(fields.boolean("yes", false));
  CHECK(fields.boolean("null", true));
  CHECK_FALSE(fields.boolean("absent", false));
  REQUIRE_CONFIG_ERROR(fields.text("one"), "f: field 'one' is 1; expected a string");
  REQUIRE_CONFIG_ERROR(fields.text("null"), "f: field 'null' is missing");
  REQUIRE_CONFIG_ERROR(fields.boolean("one", true), "field 'one' is 1; expected true or false");
  REQUIRE_CONFIG_ERROR(fields.boolean("text", true), "field 'text' is \"\"; expected true");
}

TEST_CASE("json fields: messages about a nested object say where it is") {
  const json object = {{"rope", {{"inner", {{"factor", "2"}}}}}, {"list", json::array()}};
  const JsonFields fields(object, "config.json");
  CHECK_FALSE(fields.object("absent"));
  const auto inner = fields.object("rope")->object("inner");
  REQUIRE(inner);
  REQUIRE_CONFIG_ERROR(inner->number("factor", 1, 2),
                       "config.json: rope: inner: field 'factor' is \"2\"; expected a number");
  REQUIRE_CONFIG_ERROR(fields.object("list"), "field 'list' is []; expected an object");
  REQUIRE_CONFIG_ERROR(JsonFields(object["list"], "here"), "here: expected an object, got []");
}

TEST_CASE("json fields: only() refuses the first field that nobody knows, a null one is absent") {
  const json object = {{"factor", 2}, {"type", "linear"}, {"zeta", nullptr}};
  const JsonFields fields(object, "f");
  CHECK_NOTHROW(fields.only({"type", "factor", "zeta", "other"}));
  REQUIRE_CONFIG_ERROR(fields.only({"type", "zeta"}),
                       "field 'factor' is 2; not supported; known: type, zeta");
  CHECK_NOTHROW(fields.only({"type", "factor"}));
}

TEST_CASE("json fields: a long value does not bury the message") {
  const std::string message = refusal(std::string(1'000'000, 'y'),
                                      [](const JsonFields& fields) { fields.integer("x", 0, 1); });
  CHECK(message.size() < 300);  // 200 characters of it
  CHECK(message.find("yyy...; expected an integer from 0 to 1") != std::string::npos);
  // Cut in the middle of a character, or never UTF-8 at all: still a message.
  const std::string odd =
      refusal("\xff\xfe", [](const JsonFields& fields) { fields.integer("x", 0, 1); });
  CHECK(odd.find("expected an integer from 0 to 1") != std::string::npos);
}
