#include "datasets/corpora/tokens.h"

#include <cstring>

#include "core/base/checkpoint/safetensors.h"
#include "datasets/readers/token_array.h"
#include "tests/datasets/fakes.h"
#include "tests/support/catch.h"

namespace wkvq {
namespace {

using Ids = std::vector<int32_t>;
using Values = std::vector<int64_t>;

std::string little_endian(uint64_t value, size_t width) {
  std::string bytes;
  for (size_t k = 0; k < width; ++k) bytes += static_cast<char>(value >> (8 * k) & 0xff);
  return bytes;
}

/// A .npy file of format `major`.0 with this header and data.
std::string npy(const std::string& header, const std::string& data, int major = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(major) + '\0' +
         little_endian(header.size(), major == 1 ? 2 : 4) + header + data;
}

std::string header_of(const std::string& descr, const std::string& shape) {
  return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}   \n", descr, shape);
}

Corpus load(const test::Options& options, int64_t vocab_size = 100) {
  return test::dataset("tokens", options)->load(test::context_of(nullptr, vocab_size));
}

TEST_CASE("npy: every integer type, formats 1 and 2") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto read = [&](const std::string& bytes) {
    test::write_file(path, bytes);
    return read_npy(path);
  };
  for (const size_t width : {1, 2, 4, 8}) {
    for (const char kind : {'i', 'u'}) {
      const std::string descr = fmt::format("{}{}{}", width == 1 ? '|' : '<', kind, width);
      INFO(descr);
      const auto data = little_endian(5, width) + little_endian(127, width);
      CHECK(read(npy(header_of(descr, "(2,)"), data)).values == Values{5, 127});
      CHECK(read(npy(header_of(descr, "(2,)"), data, 2)).values == Values{5, 127});
    }
  }
  CHECK(read(npy(header_of("<i2", "(1,)"), little_endian(0xfffe, 2))).values == Values{-2});
  CHECK(read(npy(header_of("<u2", "(1,)"), little_endian(0xfffe, 2))).values == Values{65534});
  CHECK(read(npy(header_of("<i4", "(1,)"), little_endian(0xffffffff, 4))).values == Values{-1});
  CHECK(read(npy(header_of("<u8", "(1,)"), little_endian(~0ull, 8))).values == Values{INT64_MAX});
  const auto square = read(npy(header_of("|u1", "(2, 2)"), "\1\2\3\4"));
  CHECK(square.shape == Values{2, 2});
  CHECK(square.values == Values{1, 2, 3, 4});
}

TEST_CASE("npy: malformed files are refused") {
  const test::TemporaryFolder folder;
  const auto path = folder / "bad.npy";
  const auto error = [&](const std::string& bytes) {
    test::write_file(path, bytes);
    return test::error_of([&] { read_npy(path); });
  };
  const auto says = [&](const std::string& bytes, const std::string& part) {
    const std::string message = error(bytes);
    INFO("message: " << message << "; expected: " << part);
    CHECK(message.find(part) != std::string::npos);
  };
  const std::string good = npy(header_of("|u1", "(3,)"), "abc");
  CHECK(error(good).empty());
  for (size_t size = 0; size < good.size(); ++size) CHECK(!error(good.substr(0, size)).empty());
  says(good + "d", "does not fit the 4 bytes");
  says("PK\3\4 not an array at all", "not a .npy file");
  says(npy(header_of("|u1", "(3,)"), "abc", 3), ".npy format 3.0");
  says(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12), "header of 4294967295 bytes");
  says(npy(header_of("<f4", "(1,)"), "abcd"), "element type '<f4'");
  says(npy(header_of(">i4", "(1,)"), "abcd"), "element type '>i4'");
  says(npy(header_of("|O", "(1,)"), "abcd"), "element type '|O'");
  says(npy(header_of("|u1", "(4294967296, 4294967296)"), ""), "does not fit");
  says(npy(header_of("<u8", "(2305843009213693952,)"), ""), "does not fit");
  says(npy(header_of("|u1", "(99999999999999999999,)"), "a"), "expected a size");
  says(npy(header_of("|u1", "(-1,)"), "a"), "expected a size");
  says(npy(header_of("|u1", "3"), "abc"), "expected '('");
  says(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 3)}", "abc"), "Fortran order");
  says(npy("{'descr': '|u1', 'fortran_order': 0, 'shape': (3,)}", "abc"), "True or False");
  says(npy("{'descr': '|u1', 'shape': (3,)}", "abc"), "needs descr");
  says(npy("{'descr': '|u1', 'descr': '|u1', 'shape': (3,)}", "abc"), "'descr' twice");
  says(npy("{'descr': '|u1', 'evil': (3,)}", "abc"), "unknown key 'evil'");
  says(npy("{'descr': [('a', '<i4')], 'fortran_order': False}", "abc"), "expected a string");
  says(npy("{'descr': '|u1", "abc"), "string without an end");
  says(npy(header_of("|u1", "(3,)") + "import os", "abc"), "text after the dictionary");
  REQUIRE_CONFIG_ERROR(read_npy(folder / "absent.npy"), "no such file");
  REQUIRE_CONFIG_ERROR(read_npy(std::string(100000, 'x')), "no such file");
}

TEST_CASE("tokens: running text and fixed windows from .npy") {
  const test::TemporaryFolder folder;
  const auto path = folder / "ids.npy";
  test::write_file(path, npy(header_of("|u1", "(4,)"), "\1\2\3\4"));
  Corpus corpus = load({{"path", path.string()}});
  CHECK(corpus.stream == Ids{1, 2, 3, 4});
  CHECK(corpus.windows.empty());
  CHECK(corpus.convention == "token ids ids, running text, no BOS added");
  test::write_file(path, npy(header_of("|u1", "(2, 2)"), "\1\2\3\4"));
  corpus = load({{"path", path.string()}});
  CHECK(corpus.stream.empty());
  CHECK(corpus.windows == std::vector<Ids>{{1, 2}, {3, 4}});
  CHECK(corpus.convention == "token ids ids, 2 windows of 2, no BOS added");
}

TEST_CASE("tokens: shapes and ids that cannot be used") {
  const test::TemporaryFolder folder;
  const auto path = folder / "ids.npy";
  const auto says = [&](const std::string& bytes, const std::string& part) {
    test::write_file(path, bytes);
    REQUIRE_CONFIG_ERROR(load({{"path", path.string()}}), part);
  };
  says(npy(header_of("|u1", "(1, 2, 2)"), "\1\2\3\4"), "shape [1, 2, 2], expected [tokens]");
  says(npy(header_of("|u1", "()"), "\1"), "shape [], expected");
  says(npy(header_of("|u1", "(0,)"), ""), "shape [0]");
  says(npy(header_of("|u1", "(3, 0)"), ""), "shape [3, 0]");
  says(npy(header_of("|u1", "(3,)"), "\1\2\x64"), "row 2: token id 100, expected 0..99");
  says(npy(header_of("|u1", "(2, 2)"), "\1\2\3\x65"), "row 1, column 1: token id 101");
  // Would be a harmless 7 if it were narrowed first.
  says(npy(header_of("<i8", "(1,)"), little_endian(0x100000007, 8)), "token id 4294967303");
  REQUIRE_CONFIG_ERROR(load({{"path", path.string()}, {"tensor", "x"}}), "tensor: a .npy file");
  REQUIRE_CONFIG_ERROR(load({{"path", "a.safetensors"}}), "tensor: expected the name");
  REQUIRE_CONFIG_ERROR(load({}), "path: expected");
}

TEST_CASE("tokens: a tensor of a .safetensors file") {
  const test::TemporaryFolder folder;
  const auto path = folder / "tiny.safetensors";
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6};
  const float weights[2] = {1, 2};
  const auto bytes = [](const auto* data) { return reinterpret_cast<const std::byte*>(data); };
  write_safetensors(
      path,
      {{"test", "I32", {3, 2}, bytes(ids.data()), 24}, {"weights", "F32", {2}, bytes(weights), 8}},
      {});
  const auto data = test::dataset("tokens", {{"path", path.string()}, {"tensor", "test"}});
  CHECK(data->label() == "tiny.test");
  CHECK(data->load(test::context_of(nullptr, 100)).windows ==
        std::vector<Ids>{{1, 2}, {3, 4}, {5, 6}});
  REQUIRE_CONFIG_ERROR(load({{"path", path.string()}, {"tensor", "train"}}),
                       "no tensor 'train'; it has test, weights");
  REQUIRE_CONFIG_ERROR(load({{"path", path.string()}, {"tensor", "weights"}}),
                       "tensor 'weights' is F32, expected integers");
  REQUIRE_CONFIG_ERROR(load({{"path", path.string()}, {"tensor", "test"}}, 6),
                       "tensor 'test', row 2, column 1: token id 6, expected 0..5");
}

TEST_CASE("tokens: reference windows of the embedded model") {
  const auto path = test::shared("reference/mini_tokens.safetensors");
  if (path.empty()) return;
  const Corpus corpus = load({{"path", path.string()}, {"tensor", "test"}}, 4096);
  REQUIRE(corpus.windows.size() == 32);
  for (const auto& window : corpus.windows) CHECK(window.size() == 512);
}

}  // namespace
}  // namespace wkvq
