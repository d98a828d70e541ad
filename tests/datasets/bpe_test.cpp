#include "datasets/tokenizers/bpe.h"

#include <random>

#include "datasets/tokenizers/unicode.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Ids = std::vector<int32_t>;

BpeData model(const std::vector<std::string>& tokens,
              const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  BpeData data;
  data.where = "f.json: model";
  for (const std::string& token : tokens) {
    data.vocabulary.emplace_back(token, static_cast<int32_t>(data.vocabulary.size()));
  }
  data.merges = merges;
  return data;
}

Ids encode(const Bpe& bpe, const std::string& word) {
  WordCache cache;
  Ids ids, again;
  bpe.encode(word, cache, ids);
  bpe.encode(word, cache, again);  // out of the cache
  CHECK(ids == again);
  return ids;
}

/// The definition of BPE: while there is a pair that merges, merge the leftmost one of the best.
std::vector<std::string> merged_by_definition(const std::string& word, const BpeData& data) {
  std::vector<std::string> symbols;
  for (size_t at = 0; at < word.size(); at += character_length(word[at])) {
    symbols.push_back(word.substr(at, character_length(word[at])));
  }
  for (;;) {
    size_t best_rank = data.merges.size(), best_at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto merge =
          std::find(data.merges.begin(), data.merges.end(), std::pair(symbols[i], symbols[i + 1]));
      const auto rank = static_cast<size_t>(merge - data.merges.begin());
      if (rank < best_rank) best_at = i;
      best_rank = std::min(best_rank, rank);
    }
    if (best_rank == data.merges.size()) return symbols;
    symbols[best_at] += symbols[best_at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

/// A vocabulary of a few letters and merges drawn at random out of what is there so far.
BpeData random_model(std::mt19937& random) {
  BpeData data = model({"a", "b", "é", "\u2581"});
  std::vector<std::string> tokens = {"a", "b", "é", "\u2581"};
  for (int tries = 0; tries < 30; ++tries) {
    const std::string left = tokens[random() % tokens.size()];
    const std::string right = tokens[random() % tokens.size()];
    const std::string whole = left + right;
    if (whole.size() > 12) continue;
    if (std::find(tokens.begin(), tokens.end(), whole) == tokens.end()) {
      data.vocabulary.emplace_back(whole, static_cast<int32_t>(tokens.size()));
      tokens.push_back(whole);
    }
    const std::pair merge(left, right);
    if (std::find(data.merges.begin(), data.merges.end(), merge) == data.merges.end()) {
      data.merges.push_back(merge);
    }
  }
  return data;
}

}  // namespace

TEST_CASE("bpe: the heap gives what the definition gives, on random models and words") {
  std::mt19937 random(11);
  const std::vector<std::string> letters = {"a", "a", "b", "é", "\u2581"};
  size_t merged = 0;
  for (int round = 0; round < 60; ++round) {
    const BpeData data = random_model(random);
    const Bpe bpe(data);
    for (int words = 0; words < 25; ++words) {
      std::string word;
      for (size_t i = random() % 24; i > 0; --i) word += letters[random() % letters.size()];
      INFO("round " << round << ": " << word);
      const auto expected = merged_by_definition(word, data);
      std::vector<std::string> tokens;
      for (const int32_t id : encode(bpe, word)) {
        tokens.push_back(bpe.tokens()[static_cast<size_t>(id)]);
      }
      REQUIRE(tokens == expected);
      merged += word.size() > expected.size() ? 1 : 0;
    }
  }
  CHECK(merged > 1000);  // most words do merge: the comparison means something
}

TEST_CASE("bpe: a better merge later undoes the chance of a worse one before") {
  const BpeData data = model({"a", "b", "c", "bc", "ab"}, {{"b", "c"}, {"a", "b"}});
  CHECK(encode(Bpe(data), "abc") == Ids{0, 3});
  CHECK(encode(Bpe(data), "abab") == Ids{4, 4});
  const BpeData twins = model({"a", "aa", "aaa"}, {{"a", "a"}, {"aa", "a"}});
  CHECK(encode(Bpe(twins), "aaaaa") == Ids{1, 2});  // leftmost first: aa aa a
}

TEST_CASE("bpe: unknown characters vanish, become one token each, or one together") {
  BpeData data = model({"a", "<unk>"});
  CHECK(encode(Bpe(data), "a漢字a") == Ids{0, 0});
  CHECK(encode(Bpe(data), "漢").empty());
  data.unk_token = "<unk>";
  CHECK(encode(Bpe(data), "a漢字a") == Ids{0, 1, 1, 0});
  data.fuse_unk = true;
  CHECK(encode(Bpe(data), "a漢字a漢") == Ids{0, 1, 0, 1});
  data.unk_token = "<none>";
  REQUIRE_CONFIG_ERROR(Bpe{data}, "f.json: model: unk_token '<none>' is not in the vocabulary");
  data.byte_level = true;  // such files name one that they do not need
  CHECK_NOTHROW(Bpe(data));
}

TEST_CASE("bpe: byte fallback writes all bytes of a character or none") {
  // é is C3 A9, the euro sign E2 82 AC.
  BpeData data = model({"a", "<unk>", "<0xC3>", "<0xA9>", "<0xE2>"});
  data.byte_fallback = true;
  data.unk_token = "<unk>";
  CHECK(encode(Bpe(data), "aé") == Ids{0, 2, 3});
  CHECK(encode(Bpe(data), "a€") == Ids{0, 1});
  data.vocabulary.emplace_back("é", 5);
  CHECK(encode(Bpe(data), "aé") == Ids{0, 5});  // the character itself comes first
}

TEST_CASE("bpe: byte-level words are looked up in the byte-level alphabet") {
  BpeData data = model({"\u0120", "a", "\u0120a", "\u00c3", "\u00a9"}, {{"\u0120", "a"}});
  data.byte_level = true;
  CHECK(encode(Bpe(data), " a") == Ids{2});
  CHECK(encode(Bpe(data), "é ") == Ids{3, 4, 0});
}

TEST_CASE("bpe: a whole word wins over the merges only where the file says so") {
  BpeData data = model({"a", "b", "c", "ab", "abc"}, {{"a", "b"}});
  CHECK(encode(Bpe(data), "abc") == Ids{3, 2});
  data.ignore_merges = true;
  CHECK(encode(Bpe(data), "abc") == Ids{4});
  CHECK(encode(Bpe(data), "abca") == Ids{3, 2, 0});
}

TEST_CASE("bpe: words that begin at a mark, cut apart or whole, give the same") {
  // A merge across the border of words forbids the cut: "a▁" must be found.
  const std::vector<std::string> tokens = {"\u2581", "a", "\u2581a", "a\u2581", "\u2581\u2581"};
  const Bpe cut(model(tokens, {{"\u2581", "a"}, {"\u2581", "\u2581"}}));
  CHECK(encode(cut, "\u2581a\u2581a") == Ids{2, 2});
  CHECK(encode(cut, "a\u2581\u2581a") == Ids{1, 0, 2});
  const Bpe crossing(model(tokens, {{"a", "\u2581"}, {"\u2581", "a"}}));
  CHECK(encode(crossing, "\u2581a\u2581a") == Ids{0, 3, 1});
}

TEST_CASE("bpe: vocabularies and merges that contradict themselves are refused") {
  const auto refused = [](auto change, const std::string& part) {
    BpeData data = model({"a", "b", "ab"}, {{"a", "b"}});
    change(data);
    REQUIRE_CONFIG_ERROR(Bpe{data}, "f.json: model: ");
    REQUIRE_CONFIG_ERROR(Bpe{data}, part);
  };
  refused([](BpeData& d) { d.vocabulary[1].second = 0; }, "id 0 is given to 'a' and to 'b'");
  refused([](BpeData& d) { d.vocabulary[1].second = -1; }, "token 'b' has id -1");
  refused([](BpeData& d) { d.vocabulary[1].second = 1 << 22; }, "token 'b' has id 4194304");
  refused([](BpeData& d) { d.vocabulary.emplace_back("a", 3); }, "token 'a' is given twice");
  refused([](BpeData& d) { d.merges.emplace_back("b", "a"); },
          "merge 1 ('b' 'a') names a token that is not in the vocabulary");
  refused([](BpeData& d) { d.merges.emplace_back("c", "b"); }, "merge 1 ('c' 'b')");
}

TEST_CASE("bpe: ids may leave gaps, which are no tokens") {
  BpeData data = model({"a"});
  data.vocabulary.emplace_back("b", 5);
  const Bpe bpe(data);
  CHECK(bpe.tokens() == std::vector<std::string>{"a", "", "", "", "", "b"});
  CHECK(bpe.find("") == -1);
  CHECK(encode(bpe, "ba") == Ids{5, 0});
}
