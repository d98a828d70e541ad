#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wkvq {

/// The pages of a published WikiText file (wiki.test.raw) as the data set
/// EleutherAI/wikitext_document_level cuts them: a page begins at a heading of level one, a line
/// "= Title =" of single signs; what stands before the first one joins the first page where it is
/// not blank. Lines keep their form, the line feed before a heading belongs to neither page.
std::vector<std::string> wikitext_pages(std::string_view raw);

/// A page as lm-evaluation-harness's task wikitext (version 2) scores it: spaces that WikiText's
/// tokenization put around punctuation, numbers, brackets and quotes are taken out again. Equal to
/// its preprocess_wikitext.py, quirks included.
std::string detokenize_wikitext(std::string page);

}  // namespace wkvq
