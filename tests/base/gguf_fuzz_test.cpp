#include <cstring>
#include <numeric>
#include <random>

#include "core/base/checkpoint/gguf_config.h"
#include "core/base/checkpoint/weight_files.h"
#include "core/base/gguf/gguf_fields.h"
#include "core/base/gguf/gguf_types.h"
#include "tests/support/catch.h"
#include "tests/support/gguf_bytes.h"

namespace wkvq {
namespace {

/// Three tensors of different types and one value of each kind; 256 bytes of data.
test::GgufBytes sound_file() {
  test::GgufBytes file;
  file.word("general.architecture", "llama")
      .integer("n", 7)
      .flag("f", true)
      .number("x", 0.5F)
      .words("w", {"ab", "", "c"})
      .list("l", GgufKind::kInt16, 3, test::raw<int16_t>(1) + test::raw<int16_t>(2) + "\1\2")
      .value("d", GgufKind::kFloat64, test::raw(2.5))
      .value("u", GgufKind::kUint64, test::raw<uint64_t>(9))
      .tensor("a", {2, 3}, 0, std::string(24, 'a'))
      .tensor("b.weight", {32, 4}, 2, std::string(72, 'b'))
      .tensor("c", {5}, 1, std::string(10, 'c'));
  return file;
}

/// Reads every value by every reader: none may leave the file, and refusals name it.
void read_all(const GgufFile& file) {
  const GgufFields fields(file.metadata(), file.path().string());
  const auto tried = [&](const auto& read) {
    const std::string message = test::error_of(read);
    if (!message.empty()) REQUIRE(message.find(file.path().string()) != std::string::npos);
  };
  for (const auto& [key, value] : file.metadata()) {
    const std::string& name = key;
    tried([&] { fields.integer(name, INT64_MIN, INT64_MAX); });
    tried([&] { fields.number(name, -1e300, 1e300); });
    tried([&] { fields.flag_or(name, false); });
    tried([&] { (void)fields.text(name).size(); });
    tried([&] {
      const size_t count = fields.numbers(name).size();
      REQUIRE(count == file.metadata().at(name).count);
    });
    tried([&] {
      const auto texts = fields.texts(name);
      REQUIRE(texts.size() == file.metadata().at(name).count);
      for (const auto text : texts) (void)std::accumulate(text.begin(), text.end(), 0);
    });
  }
  const std::string path = file.path().string();
  tried([&] { read_gguf_config(open_gguf(path)); });
}

/// Whatever was accepted must hold what GgufFile promises; touches every byte.
void check_promises(const GgufFile& file) {
  const std::string_view all = file.bytes();
  const auto* begin = reinterpret_cast<const std::byte*>(all.data());
  const std::byte* end = begin + file.header().size();
  for (const TensorEntry& entry : file.tensors()) {
    const GgufType* type = find_gguf_type(entry.dtype);
    REQUIRE(type);
    int64_t elements = 1;
    for (const int64_t extent : entry.shape) {
      REQUIRE(extent > 0);
      elements *= extent;
    }
    REQUIRE(entry.shape.back() % type->block == 0);
    REQUIRE(static_cast<size_t>(elements / type->block * type->bytes) == entry.bytes);
    REQUIRE(entry.data >= end);
    end = entry.data + entry.bytes;
    REQUIRE(end <= begin + all.size());
    REQUIRE(&file.at(entry.name) == &entry);
    (void)std::accumulate(entry.data, end, 0U, [](unsigned sum, std::byte byte) {
      return sum + std::to_integer<unsigned>(byte);
    });
  }
  read_all(file);
}

/// 1 where `content` is accepted; a refusal must name the file.
size_t try_open(const std::filesystem::path& path, const std::string& content) {
  test::write_file(path, content);
  try {
    check_promises(GgufFile(path));
    return 1;
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    INFO("message: " << message);
    REQUIRE(message.find(path.string()) != std::string::npos);
    return 0;
  }
}

}  // namespace

TEST_CASE("GGUF: a file cut anywhere or followed by anything is refused") {
  const test::TemporaryFolder folder;
  const std::string sound = sound_file().bytes();
  REQUIRE(try_open(folder / "x.gguf", sound) == 1);
  REQUIRE(try_open(folder / "x.gguf", sound_file().bytes(2)) == 1);
  // 22 bytes of padding follow the last tensor, and some writers leave them out.
  const size_t end = sound.size() - 22;
  for (size_t size = 0; size < sound.size(); ++size) {
    INFO("size " << size);
    REQUIRE(try_open(folder / "x.gguf", sound.substr(0, size)) == (size < end ? 0 : 1));
  }
  REQUIRE(try_open(folder / "x.gguf", sound + '\0') == 0);
}

TEST_CASE("GGUF: every single byte of the header changed in many ways is refused or harmless") {
  const test::TemporaryFolder folder;
  const test::GgufBytes file = sound_file();
  const std::string sound = file.bytes();
  size_t accepted = 0, tried = 0;
  for (size_t at = 0; at < file.header_bytes(); ++at) {
    for (const char byte : {'\0', '\1', '\x02', '\x09', '\x0c', ' ', 'z', '\x7f', '\x80', '\xff'}) {
      if (sound[at] == byte) continue;
      std::string changed = sound;
      changed[at] = byte;
      accepted += try_open(folder / "x.gguf", changed);
      ++tried;
    }
  }
  CHECK(tried > 2000);
  // Letters of names and texts, and the values themselves, may become others.
  CHECK(accepted > 100);
  CHECK(accepted < tried / 2);
}

TEST_CASE(
    "GGUF: every eight bytes of the header at the limits of a count are refused or harmless") {
  const test::TemporaryFolder folder;
  const test::GgufBytes file = sound_file();
  const std::string sound = file.bytes();
  for (size_t at = 4; at + 8 <= file.header_bytes(); ++at) {
    for (const uint64_t number : {uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 62,
                                  uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
      std::string changed = sound;
      changed.replace(at, 8, test::raw(number));
      try_open(folder / "x.gguf", changed);
    }
  }
}

TEST_CASE("GGUF: random damage of the header never gets past the checks") {
  const test::TemporaryFolder folder;
  const test::GgufBytes file = sound_file();
  std::mt19937 random(20261127);  // mt19937's numbers are fixed by the standard
  const auto below = [&](size_t bound) { return random() % bound; };
  const std::vector<std::string> pieces = {test::raw<uint64_t>(0),
                                           test::raw<uint64_t>(1),
                                           test::raw<uint64_t>(UINT64_MAX),
                                           test::raw<uint64_t>(uint64_t{1} << 61),
                                           test::raw<uint32_t>(8),
                                           test::raw<uint32_t>(9),
                                           test::raw<uint32_t>(13),
                                           test::raw<uint32_t>(30),
                                           std::string(3, '\0'),
                                           "GGUF",
                                           "blk.0.attn_q.weight",
                                           "llama.block_count"};
  for (int round = 0; round < 1500; ++round) {
    std::string content = file.bytes();
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      const size_t at = below(file.header_bytes());
      const std::string& piece = pieces[below(pieces.size())];
      // Overwritten more often than shifted: what follows then still makes sense.
      content.replace(at, below(4) == 0 ? below(12) : piece.size(), piece);
    }
    INFO("round " << round);
    try_open(folder / "x.gguf", content);
  }
}

TEST_CASE("GGUF: damage of a whole model's header is refused or gives a model of its size") {
  const test::TemporaryFolder folder;
  const std::filesystem::path path = folder / "x.gguf";
  std::ifstream golden(test::source("tests/golden/gguf/qwen2_tied.gguf"), std::ios::binary);
  const std::string sound{std::istreambuf_iterator<char>(golden), std::istreambuf_iterator<char>()};
  REQUIRE(sound.size() > 4096);
  std::mt19937 random(17);
  size_t whole = 0;
  for (int round = 0; round < 400; ++round) {
    std::string changed = sound;
    for (size_t edits = 1 + random() % 3; edits > 0; --edits) {
      changed[random() % 2400] = static_cast<char>(random());
    }
    test::write_file(path, changed);
    const std::string message = test::error_of([&] {
      const ModelConfig config = read_model_config(path);
      WeightFiles(path).verify(config);
      ++whole;
    });
    if (!message.empty()) CHECK(message.find("x.gguf") != std::string::npos);
  }
  INFO(whole << " of 400 accepted");
  CHECK(whole < 300);
}

}  // namespace wkvq
