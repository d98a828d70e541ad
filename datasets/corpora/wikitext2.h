#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "datasets/corpora/corpus.h"

namespace wkvq {

/// WikiText-2 raw in the convention of the GPTQ tables: rows joined by "\n\n", tokenized once.
class WikiText2Dataset final : public Dataset {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  std::string label() const override;
  Corpus load(const DatasetContext& context) const override;

 private:
  enum class Split { kTest, kValidation, kTrain };

  const std::string& split_name() const;
  /// The split's file: `path` itself, or the one of that split in the folder.
  std::filesystem::path find_file() const;
  Documents load_pages(const std::filesystem::path& file) const;

  std::string path_;
  Split split_ = Split::kTest;
  BosRule bos_ = BosRule::kTokenizer;
};

/// The published file as the data set's rows joined by "\n\n". A row is a line with its line feed;
/// a blank line (which the file writes as " \n") is an empty row.
std::string join_wikitext_rows(std::string_view raw);

}  // namespace wkvq
