#include <cstring>
#include <numeric>
#include <random>

#include "core/base/checkpoint/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

/// Three tensors of different types, one of them empty, and metadata: 26 bytes of data.
std::string sound_file() {
  return test::raw_safetensors(R"({"__metadata__":{"by":"test"},)"
                               R"("a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
                               R"("b":{"dtype":"I16","shape":[5],"data_offsets":[16,26]},)"
                               R"("none":{"dtype":"F64","shape":[0,3],"data_offsets":[16,16]}})",
                               26);
}

/// Whatever was accepted must hold what SafetensorsFile promises; touches every byte.
void check_promises(const SafetensorsFile& file) {
  const std::string_view all = file.bytes();
  const auto* begin = reinterpret_cast<const std::byte*>(all.data());
  const std::byte* end = nullptr;
  for (const TensorEntry& entry : file.tensors()) {
    size_t bytes = dtype_width(entry.dtype);
    REQUIRE(bytes > 0);
    for (const int64_t extent : entry.shape) {
      REQUIRE(extent >= 0);
      bytes *= static_cast<size_t>(extent);
    }
    REQUIRE(bytes == entry.bytes);
    REQUIRE(entry.data >= begin + 8);
    REQUIRE(entry.data + entry.bytes <= begin + all.size());
    REQUIRE((!end || entry.data == end));
    end = entry.data + entry.bytes;
    REQUIRE(&file.at(entry.name) == &entry);
    (void)std::accumulate(entry.data, end, 0U, [](unsigned sum, std::byte byte) {
      return sum + std::to_integer<unsigned>(byte);
    });
  }
  if (end) REQUIRE(end == begin + all.size());
}

/// 1 where `content` is accepted; a refusal must name the file.
size_t try_open(const std::filesystem::path& path, const std::string& content) {
  test::write_file(path, content);
  try {
    check_promises(SafetensorsFile(path));
    return 1;
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    INFO("message: " << message);
    REQUIRE(message.find(path.string()) != std::string::npos);
    return 0;
  }
}

}  // namespace

TEST_CASE("safetensors: a file cut anywhere or followed by anything is refused") {
  const test::TemporaryFolder folder;
  const std::string sound = sound_file();
  REQUIRE(try_open(folder / "x", sound) == 1);
  for (size_t size = 0; size < sound.size(); ++size) {
    INFO("size " << size);
    REQUIRE(try_open(folder / "x", sound.substr(0, size)) == 0);
  }
  REQUIRE(try_open(folder / "x", sound + '\0') == 0);
}

TEST_CASE("safetensors: every single byte changed in many ways is refused or harmless") {
  const test::TemporaryFolder folder;
  const std::string sound = sound_file();
  const size_t header_end = sound.size() - 26;
  size_t accepted = 0, tried = 0;
  for (size_t at = 0; at < header_end; ++at) {
    for (const char byte : {'\0', '0', '9', '-', '"', '[', '}', ',', '\\', '\xff'}) {
      if (sound[at] == byte) continue;
      std::string changed = sound;
      changed[at] = byte;
      accepted += try_open(folder / "x", changed);
      ++tried;
    }
  }
  // Letters of names and of the metadata may become others; numbers and structure may not. The
  // names and the metadata are 19 letters, and 6 of the 10 bytes may stand in a string.
  CHECK(tried > 2000);
  CHECK(accepted > 0);
  CHECK(accepted <= 19 * 6);
}

TEST_CASE("safetensors: of all places for two tensors only the two without hole and overlap") {
  const test::TemporaryFolder folder;
  std::vector<std::string> accepted;
  for (int a = 0; a <= 6; ++a) {
    for (int b = 0; b <= 6; ++b) {
      const std::string header =
          fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":[{},{}]}},)"
                      R"("b":{{"dtype":"U8","shape":[2],"data_offsets":[{},{}]}}}})",
                      a, a + 4, b, b + 2);
      if (try_open(folder / "x", test::raw_safetensors(header, 6)) == 1) {
        accepted.push_back(fmt::format("{} {}", a, b));
      }
    }
  }
  CHECK(accepted == std::vector<std::string>{"0 4", "2 0"});
}

TEST_CASE("safetensors: random damage of the header never gets past the checks") {
  const test::TemporaryFolder folder;
  const std::string sound = sound_file();
  const size_t header_end = sound.size() - 26;
  const std::vector<std::string> pieces = {"[0,26]",
                                           "\"shape\":[",
                                           "18446744073709551615",
                                           "-1",
                                           "1e9",
                                           "{}",
                                           "null",
                                           "F64",
                                           "\"a\":",
                                           "9223372036854775807",
                                           "[[[[",
                                           "]",
                                           "\"\\u0000\"",
                                           "4294967296,4294967296",
                                           "0"};
  std::mt19937 random(20240131);  // mt19937's numbers are fixed by the standard
  const auto below = [&](size_t bound) { return random() % bound; };
  for (int round = 0; round < 1500; ++round) {
    std::string header = sound.substr(8, header_end - 8);
    for (size_t edits = 1 + below(4); edits > 0 && !header.empty(); --edits) {
      const size_t at = below(header.size());
      const size_t length = std::min(below(12), header.size() - at);
      header.replace(at, length, below(3) == 0 ? "" : pieces[below(pieces.size())]);
    }
    INFO("round " << round << ": " << header);
    std::string content = test::raw_safetensors(header, 26);
    if (below(8) == 0) content[below(8)] ^= static_cast<char>(1 << below(8));
    try_open(folder / "x", content);
  }
}

TEST_CASE("safetensors: what the writer writes the reader reads, whatever names and shapes") {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "x";
  std::mt19937 random(7);
  const std::vector<std::string> types = {"F64", "F32", "F16", "BF16", "I64",    "I32",
                                          "I16", "I8",  "U8",  "BOOL", "F8_E4M3"};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::vector<std::byte>> data;
    std::vector<TensorEntry> tensors;
    data.reserve(8);
    for (size_t i = 0, count = random() % 8; i < count; ++i) {
      TensorEntry entry{fmt::format("{}\"\\\n\xc3\xa9 {}", std::string(random() % 3, 'n'), i),
                        types[random() % types.size()],
                        {}};
      entry.bytes = dtype_width(entry.dtype);
      for (size_t k = random() % 4; k > 0; --k) {
        entry.shape.push_back(random() % 4);
        entry.bytes *= static_cast<size_t>(entry.shape.back());
      }
      auto& bytes = data.emplace_back(entry.bytes);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      entry.data = bytes.data();
      tensors.push_back(entry);
    }
    write_safetensors(path, tensors, {{"round", std::to_string(round)}, {"\n", "\t\"\xc3\xa9"}});
    const SafetensorsFile file(path);
    check_promises(file);
    REQUIRE(file.tensors().size() == tensors.size());
    CHECK(file.metadata().at("round") == std::to_string(round));
    CHECK(file.metadata().at("\n") == "\t\"\xc3\xa9");
    for (const TensorEntry& entry : tensors) {
      const TensorEntry& read = file.at(entry.name);
      CHECK(read.dtype == entry.dtype);
      CHECK(read.shape == entry.shape);
      REQUIRE(read.bytes == entry.bytes);
      // memcmp of nothing: an empty vector may have no address.
      if (entry.bytes > 0) CHECK(std::memcmp(read.data, entry.data, entry.bytes) == 0);
    }
  }
}

TEST_CASE("safetensors: data of a file written by us begins at a multiple of 8") {
  const test::TemporaryFolder folder;
  const std::byte value{1};
  for (size_t length = 1; length < 10; ++length) {
    write_safetensors(folder / "x", {{std::string(length, 'n'), "U8", {1}, &value, 1}}, {});
    const SafetensorsFile file(folder / "x");
    const auto* begin = reinterpret_cast<const std::byte*>(file.bytes().data());
    CHECK((file.tensors()[0].data - begin) % 8 == 0);
  }
}

}  // namespace wkvq
