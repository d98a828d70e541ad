#include "core/base/checkpoint/safetensors.h"

#include <cstring>

#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

using test::raw_safetensors;

TensorEntry entry_of(const std::string& name, const std::vector<float>& values) {
  return {name,
          "F32",
          {static_cast<int64_t>(values.size())},
          reinterpret_cast<const std::byte*>(values.data()),
          values.size() * sizeof(float)};
}

/// The message with which `content` is refused; empty where it is accepted.
std::string refusal(const std::string& content) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.safetensors", content);
  return test::error_of([&] { SafetensorsFile file(folder / "x.safetensors"); });
}

void require_refused(const std::string& content, const std::string& part) {
  const std::string message = refusal(content);
  INFO("message: " << message << ", expected: " << part);
  REQUIRE(message.find(part) != std::string::npos);
  REQUIRE(message.find("x.safetensors") != std::string::npos);
}

}  // namespace

TEST_CASE("what is written is read back") {
  const test::TemporaryFolder folder;
  const std::vector<float> a = {1, 2, 3}, b = {-4};
  const std::filesystem::path path = folder / "t.safetensors";
  write_safetensors(path, {entry_of("a", a), entry_of("b", b), entry_of("none", {})},
                    {{"by", "test"}});
  const SafetensorsFile file(path);
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.metadata().at("by") == "test");
  const TensorEntry& read = file.at("a");
  CHECK(read.dtype == "F32");
  CHECK(read.shape == std::vector<int64_t>{3});
  REQUIRE(read.bytes == 12);
  CHECK(std::memcmp(read.data, a.data(), 12) == 0);
  file.release(read);
  CHECK(std::memcmp(read.data, a.data(), 12) == 0);
  CHECK(file.find("none")->bytes == 0);
  CHECK(file.find("c") == nullptr);
  REQUIRE_CONFIG_ERROR(file.at("c"), "no tensor 'c'");
  // Nothing is left of the temporary file.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("the writer refuses what the reader would") {
  const test::TemporaryFolder folder;
  const std::vector<float> values = {1, 2};
  TensorEntry wrong = entry_of("a", values);
  wrong.shape = {3};
  REQUIRE_CONFIG_ERROR(write_safetensors(folder / "t", {wrong}, {}), "'a'");
  const TensorEntry good = entry_of("a", values);
  REQUIRE_CONFIG_ERROR(write_safetensors(folder / "t", {good, good}, {}), "used twice");
  REQUIRE_CONFIG_ERROR(write_safetensors(folder / "no" / "t", {good}, {}), "cannot be written");
}

TEST_CASE("hostile headers are refused with their file") {
  require_refused("", "too short");
  require_refused("12345678", "too short");
  require_refused(std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10), "header length");
  require_refused(std::string("\0\0\0\0\0\0\0\x80{}", 10), "header length");
  require_refused(raw_safetensors("{}", 0).substr(0, 9), "header length 2");
  require_refused(raw_safetensors("[]", 0), "does not start with '{'");
  require_refused(raw_safetensors(" {}", 0), "does not start with '{'");
  require_refused(raw_safetensors("{\"a\":", 0), "not valid JSON");
  require_refused(raw_safetensors("{\"__metadata__\":{\"a\":1}}", 0), "'a' is not a string");
  require_refused(raw_safetensors("{\"a\":1}", 0), "'a': not an object");
  const std::string twice = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  require_refused(raw_safetensors("{" + twice + "," + twice + "}", 1), "'a' occurs twice");
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  require_refused(raw_safetensors(deep, 0), "nested deeper");
}

TEST_CASE("hostile entries are refused with their tensor") {
  const auto header = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  const auto refused = [&](const std::string& text, const std::string& part) {
    require_refused(raw_safetensors(text, 8), part);
  };
  CHECK(refusal(raw_safetensors(header("F32", "[2]", "[0,8]"), 8)).empty());
  refused(header("F33", "[2]", "[0,8]"), "dtype \"F33\" is not known");
  refused(header("F32", "[2]", "[0,9]"), "outside the data of 8 bytes");
  refused(header("F32", "[2]", "[8,0]"), "outside the data");
  refused(header("F32", "[2]", "[-8,0]"), "non-negative");
  refused(header("F32", "[2]", "[0,18446744073709551615]"), "non-negative");
  refused(header("F32", "[2]", "[0]"), "expected 2");
  refused(header("F32", "[2]", "[0,7]"), "hold 7 bytes");
  refused(header("F32", "[3]", "[0,8]"), "needs 12");
  refused(header("F32", "[1.5]", "[0,8]"), "shape holds 1.5");
  refused(header("F32", "2", "[0,8]"), "shape is not a list");
  // 2^62 * 4 and 2^32 * 2^32 * ... wrap to 0 in 64 bits.
  refused(header("F32", "[4611686018427387904]", "[0,0]"), "data_offsets hold 0 bytes");
  refused(header("U8", "[4294967296,4294967296]", "[0,0]"), "data_offsets hold 0 bytes");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", "no 'data_offsets'");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"b":1}})", "unknown key 'b'");
  refused(header("F32", "[1]", "[0,4]"), "its tensors hold 4");
  refused(header("F32", "[1]", "[4,8]"), "leaves a hole");
  refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          "tensor 'b' overlaps");
}

TEST_CASE("safetensors: a header of 300 000 tensors is read and looked up in no time to speak of") {
  // A look through all of them for each would take hours.
  constexpr int kTensors = 300'000;
  std::string header = "{";
  for (int i = 0; i < kTensors; ++i)
    header += fmt::format(R"({}"t{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                          i > 0 ? "," : "", i, i, i + 1);
  const test::TemporaryFolder folder;
  test::write_file(folder / "x", test::raw_safetensors(header + "}", kTensors));
  const SafetensorsFile file(folder / "x");
  REQUIRE(file.tensors().size() == kTensors);
  size_t found = 0;
  for (int i = 0; i < kTensors; ++i) found += file.find(fmt::format("t{}", i)) != nullptr;
  CHECK(found == kTensors);
  CHECK(!file.find("t300000"));
}

TEST_CASE("a missing file and a folder are refused") {
  REQUIRE_CONFIG_ERROR(SafetensorsFile("/nonexistent/x"), "no such file");
  const test::TemporaryFolder folder;
  REQUIRE_CONFIG_ERROR(SafetensorsFile(folder.path()), "a folder, expected a regular file");
}

}  // namespace wkvq
