#include "core/base/gguf/gguf.h"

#include <sys/stat.h>

#include <cstring>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/checkpoint/weight_files.h"
#include "core/base/gguf/gguf_fields.h"
#include "core/base/gguf/gguf_types.h"
#include "tests/support/catch.h"
#include "tests/support/gguf_bytes.h"

namespace wkvq {
namespace {

using test::GgufBytes;

/// The message with which the file is refused.
std::string refusal(const GgufBytes& file, uint32_t version = 3) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf", file.bytes(version));
  std::string message = test::error_of([&] { GgufFile(folder / "x.gguf"); });
  INFO(message);
  if (!message.empty()) CHECK(message.starts_with((folder / "x.gguf").string()));
  return message;
}

bool refused(const GgufBytes& file, const std::string& part) {
  const std::string message = refusal(file);
  UNSCOPED_INFO("message: " << message);
  return message.find(part) != std::string::npos;
}

/// The 32 values (i - 16) / 8 as the types of hand-checked bytes store them, from hexadecimal
/// digits.
std::vector<float> decoded(const char* name, const std::string& hex) {
  const GgufType* type = find_gguf_type(name);
  REQUIRE(type);
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  REQUIRE(bytes.size() == static_cast<size_t>(type->bytes));
  std::vector<float> values(static_cast<size_t>(type->block));
  type->decode(bytes.data(), values.data());
  return values;
}

}  // namespace

TEST_CASE("GGUF blocks: every type decodes random blocks as the package gguf does bit for bit") {
  const SafetensorsFile golden(test::source("tests/golden/gguf/blocks.safetensors"));
  CHECK(golden.tensors().size() == 22);
  for (const char* name :
       {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL"}) {
    INFO(name);
    const GgufType* type = find_gguf_type(name);
    REQUIRE(type);
    const TensorEntry& blocks = golden.at(std::string(name) + ".bytes");
    const TensorEntry& values = golden.at(std::string(name) + ".values");
    REQUIRE(blocks.shape == std::vector<int64_t>{values.shape[0], type->bytes});
    REQUIRE(values.shape[1] == type->block);
    std::vector<float> out(static_cast<size_t>(values.shape[0] * type->block));
    for (int64_t i = 0; i < values.shape[0]; ++i) {
      type->decode(reinterpret_cast<const uint8_t*>(blocks.data) + i * type->bytes,
                   out.data() + i * type->block);
    }
    REQUIRE(values.bytes == out.size() * sizeof(float));
    CHECK(std::memcmp(out.data(), values.data, values.bytes) == 0);
  }
}

TEST_CASE("GGUF blocks by hand: a ramp and its codes") {
  // x_i = (i - 16) / 8. Q4_0: d = 0.25, codes 0 0 1 1 ... 15 15 but for the first, 8 below zero.
  const std::vector<float> q4_0 = decoded("Q4_0", "0034809191a2a2b3b3c4c4d5d5e6e6f7f7f8");
  // Q4_1: d = 4 / 16 rounded, minimum -2.
  const std::vector<float> q4_1 = decoded("Q4_1", "223400c080809191a2a2b3b3c4c4d5d5e6e6f7f7");
  const std::vector<float> q8_0 =
      decoded("Q8_0", "082481899199a1a9b1b9c0c8d0d8e0e8f0f8000810182028303840474f575f676f77");
  for (int i = 0; i < 32; ++i) {
    const auto at = static_cast<size_t>(i);
    const float x = static_cast<float>(i - 16) / 8;
    INFO(i);
    // Half a step of each type.
    CHECK(std::abs(q4_0[at] - x) <= 0.125F);
    CHECK(std::abs(q4_1[at] - x) <= 0.130F);
    CHECK(std::abs(q8_0[at] - x) <= 0.008F);
  }
  CHECK(q4_0[0] == -2.0F);
  CHECK(q4_0[16] == 0.0F);
  CHECK(q4_0[31] == 1.75F);
  CHECK(q4_1[0] == -2.0F);
  // 0x3422 is 1.03320 * 2^-2 = 0.258301; 15 steps of it.
  CHECK(q4_1[31] == 15 * 0.25830078125F - 2.0F);
  // 0x2408 is 2^-6 * 1.0078125.
  CHECK(q8_0[0] == -127 * 0.0157470703125F);
}

TEST_CASE("GGUF: versions, alignment and places of tensors") {
  GgufBytes file;
  file.tensor("a", {4}, 0, std::string(16, 'a')).tensor("b", {32}, 2, std::string(18, 'b'));
  CHECK(refusal(file).empty());
  CHECK(refusal(file, 2).empty());
  CHECK(refusal(file, 1).find("GGUF version 1, expected 2 or 3") != std::string::npos);
  CHECK(refusal(file, 0x03000000).find("(a big-endian file)") != std::string::npos);
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf", file.bytes());
  const GgufFile sound(folder / "x.gguf");
  CHECK(sound.at("b").shape == std::vector<int64_t>{32});
  CHECK(sound.at("b").dtype == "Q4_0");
  CHECK(sound.at("b").data - sound.at("a").data == 32);
  CHECK(std::to_integer<char>(sound.at("b").data[0]) == 'b');

  CHECK(refused(GgufBytes().integer("general.alignment", 24), "expected a power of two"));
  CHECK(refused(GgufBytes().integer("general.alignment", 0), "expected an integer from 1"));
  CHECK(refused(GgufBytes().word("general.alignment", "32"), "is '32'; expected an integer"));
  CHECK(refused(GgufBytes().tensor_at("a", {4}, 0, 32, std::string(16, 'a')),
                "begins at 32 of the data, expected 0"));
  CHECK(refused(GgufBytes()
                    .tensor("a", {4}, 0, std::string(16, 'a'))
                    .tensor_at("b", {4}, 0, 0, std::string(16, 'b')),
                "'b' begins at 0 of the data, expected 32"));
  CHECK(refused(GgufBytes().tensor("a", {40}, 0, std::string(16, 'a')), "needs 160 bytes"));
}

TEST_CASE("GGUF: types and shapes of tensors") {
  const std::string data(64, '\0');
  CHECK(refused(GgufBytes().tensor("a", {256}, 23, data),
                "type IQ4_XS (23) is not supported; known: F32, F16"));
  CHECK(refused(GgufBytes().tensor("a", {32}, 4, data), "type 4 is not supported"));
  CHECK(refused(GgufBytes().tensor("a", {33}, 2, data),
                "rows of 33 elements, expected a multiple of 32 (Q4_0)"));
  CHECK(refused(GgufBytes().tensor("a", {128, 2}, 12, data), "expected a multiple of 256 (Q4_K)"));
  CHECK(refused(GgufBytes().tensor("a", {}, 0, data), "0 dimensions, expected 1 to 4"));
  CHECK(refused(GgufBytes().tensor("a", {1, 1, 1, 1, 1}, 0, data), "5 dimensions"));
  CHECK(refused(GgufBytes().tensor("a", {4, 0}, 0, data), "dimension 1 of 0 elements"));
  CHECK(refused(GgufBytes().tensor("a", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, data),
                "dimension 1 of"));
  CHECK(refused(GgufBytes().tensor("a", {uint64_t{1} << 62}, 0, data), "are too many"));
  CHECK(refused(GgufBytes().tensor("a\n", {4}, 0, data), "is not printable ASCII"));
  CHECK(refused(GgufBytes().tensor(std::string(65, 'n'), {4}, 0, data), "expected at most 64"));
  CHECK(refused(GgufBytes()
                    .tensor("a", {4}, 0, std::string(16, 'a'))
                    .tensor("a", {4}, 0, std::string(16, 'a')),
                "tensor 'a' is given twice"));
}

TEST_CASE("GGUF: metadata that cannot be") {
  CHECK(refused(GgufBytes().integer("k", 1).integer("k", 1), "metadata 'k' is given twice"));
  CHECK(refused(GgufBytes().value("k", static_cast<GgufKind>(13), ""), "is of type 13"));
  CHECK(refused(GgufBytes().list("k", GgufKind::kList, 1, ""), "a list of lists"));
  CHECK(refused(GgufBytes().list("k", GgufKind::kText, uint64_t{1} << 60, ""), "more than the"));
  CHECK(refused(GgufBytes().list("k", GgufKind::kUint8, 1000, ""), "has 1000 elements"));
  CHECK(refused(GgufBytes().value("k", GgufKind::kBool, "\2"), "other than 0 and 1"));
  CHECK(refused(GgufBytes().value("k", GgufKind::kText, test::raw<uint64_t>(1000)), "asked for"));
  CHECK(refused(GgufBytes().integer("", 1), "is not printable ASCII"));
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf", "GGML" + std::string(60, '\0'));
  REQUIRE_CONFIG_ERROR(GgufFile(folder / "x.gguf"), "does not begin with 'GGUF'");
}

TEST_CASE("GGUF: a folder, a pipe and a file that is not there are refused at once") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "d.gguf");
  REQUIRE_CONFIG_ERROR(GgufFile(folder / "d.gguf"), "expected a regular file");
  REQUIRE(mkfifo((folder / "p.gguf").c_str(), 0600) == 0);
  REQUIRE_CONFIG_ERROR(GgufFile(folder / "p.gguf"), "expected a regular file");
  REQUIRE_CONFIG_ERROR(GgufFile(folder / "none.gguf"), "no such file");
  test::write_file(folder / "short.gguf", "GGUF");
  REQUIRE_CONFIG_ERROR(GgufFile(folder / "short.gguf"), "4 bytes, too short for a GGUF file");
}

TEST_CASE("GGUF: metadata of every type by its reader") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf",
                   GgufBytes()
                       .value("i8", GgufKind::kInt8, test::raw<int8_t>(-3))
                       .value("u64", GgufKind::kUint64, test::raw<uint64_t>(UINT64_MAX))
                       .number("nan", std::nanf(""))
                       .number("half", 0.5F)
                       .flag("yes", true)
                       .word("text", "a\x1b[31m\xff")
                       .words("words", {"", "b c"})
                       .list("floats", GgufKind::kFloat32, 2, test::raw(1.5F) + test::raw(-2.F))
                       .bytes());
  const GgufFile file(folder / "x.gguf");
  const GgufFields fields(file.metadata(), "x.gguf");
  CHECK(fields.integer("i8", -3, -3) == -3);
  CHECK(fields.number("half", 0, 1) == 0.5);
  CHECK(fields.flag_or("yes", false));
  CHECK(fields.flag_or("no", true));
  CHECK(fields.texts("words") == std::vector<std::string_view>{"", "b c"});
  CHECK(fields.numbers("floats") == std::vector<double>{1.5, -2});
  REQUIRE_CONFIG_ERROR(fields.integer("u64", 0, INT64_MAX), "'u64' is 18446744073709551615");
  REQUIRE_CONFIG_ERROR(fields.integer("half", 0, 1), "is 0.5; expected an integer from 0 to 1");
  REQUIRE_CONFIG_ERROR(fields.number("nan", 0, 1), "expected a number");
  // Nothing that a terminal would act on.
  REQUIRE_CONFIG_ERROR(fields.integer("text", 0, 1), "is 'a?[31m?'; expected");
  REQUIRE_CONFIG_ERROR(fields.text("words"), "is a list of 2; expected a text");
  REQUIRE_CONFIG_ERROR(fields.texts("text"), "expected a list of texts");
  REQUIRE_CONFIG_ERROR(fields.text("none"), "x.gguf: no metadata 'none'");
}

TEST_CASE("GGUF: parts of a split model are found beside the first and must belong to it") {
  const test::TemporaryFolder folder;
  const std::string name = "tinyllama_tied-0000{}-of-00002.gguf";
  const auto part = [&](int i) { return folder / fmt::format(fmt::runtime(name), i); };
  const auto golden = [&](int i) {
    return test::source("tests/golden/gguf/" + fmt::format(fmt::runtime(name), i));
  };
  std::filesystem::copy(golden(1), part(1));
  REQUIRE_CONFIG_ERROR(open_gguf(part(1)), part(2).string() + ": no such file");
  std::filesystem::copy(golden(2), part(2));
  CHECK(open_gguf(part(1)).size() == 2);
  REQUIRE_CONFIG_ERROR(open_gguf(part(2)), "expected the first");
  std::filesystem::copy(golden(1), folder / "other.gguf");
  REQUIRE_CONFIG_ERROR(open_gguf(folder / "other.gguf"), "expected the first");
  std::filesystem::copy(golden(1), part(2), std::filesystem::copy_options::overwrite_existing);
  REQUIRE_CONFIG_ERROR(open_gguf(part(1)), "'split.no' is 0; expected 1");
}

}  // namespace wkvq
