#pragma once

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace wkvq::test {

/// One hard string with what Hugging Face makes of it (scripts/fixtures/make_tokenizer_fixtures.py).
struct TokenizerCase {
  std::string text;  ///< bytes, not always valid UTF-8
  std::vector<int32_t> ids;
  std::vector<int32_t> special;
  std::string decoded;
};

inline nlohmann::json read_golden(const std::string& path) {
  std::ifstream file(source("tests/golden/tokenizers/" + path));
  REQUIRE(file);
  return nlohmann::json::parse(file);
}

inline std::vector<TokenizerCase> tokenizer_cases(const nlohmann::json& json) {
  std::vector<TokenizerCase> cases;
  for (const auto& one : json) {
    const auto hex = one.at("hex").get<std::string>();
    std::string text;
    for (size_t i = 0; i < hex.size(); i += 2) {
      text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    cases.push_back({text, one.at("ids"), one.at("special"), one.at("decoded")});
  }
  REQUIRE(cases.size() > 80);
  return cases;
}

/// FNV-1a over the little-endian 32-bit ids, as the script computes it.
inline std::string fnv1a(const std::vector<int32_t>& ids) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      value = (value ^ ((static_cast<uint32_t>(id) >> shift) & 0xFF)) * 0x100000001B3u;
    }
  }
  return fmt::format("{:016x}", value);
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace wkvq::test
