#pragma once

#include <filesystem>
#include <string>

#include "datasets/corpora/corpus.h"

namespace wkvq {

/// Penn Treebank (ptb_text_only) in either of its two published (and incompatible) conventions.
class PtbDataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  /// old: validation split, sentences joined by "\n\n"; new: test split, joined by " ".
  enum class Variant { kNew, kOld };

  std::string path_;
  Variant variant_ = Variant::kNew;
  BosRule bos_ = BosRule::kTokenizer;
};

}  // namespace wkvq
