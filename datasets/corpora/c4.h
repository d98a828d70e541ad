#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/corpora/corpus.h"

namespace wkvq {

/// C4 validation, shard 0, in either of its two published (and incompatible) conventions.
class C4Dataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  enum class Variant { kNew, kOld };

  /// The first 1100 documents joined by " ", tokenized once, cut after 256 * context tokens.
  Corpus load_new(const DatasetContext& context) const;
  /// 256 windows of documents longer than one, drawn by CPython's random with seed 0.
  Corpus load_old(const DatasetContext& context) const;

  std::string path_;
  Variant variant_ = Variant::kNew;
  int64_t context_ = 2048;
  BosRule bos_ = BosRule::kTokenizer;
};

}  // namespace wkvq
