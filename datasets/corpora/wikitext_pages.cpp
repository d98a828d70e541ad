#include "datasets/corpora/wikitext_pages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "datasets/corpora/documents.h"

namespace wkvq {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string result;
  size_t done = 0;
  for (size_t at; (at = text.find(from, done)) != std::string::npos; done = at + from.size())
    result.append(text, done, at - done).append(to);
  text = result.append(text, done);
}

// White space just inside each pair goes, as re.sub(r"\(\s*([^\)]*?)\s*\)", r"(\1)") does: a pair
// reaches to the next closing sign whatever lies between.
void trim_inside(std::string& text, char open, char close) {
  std::string result;
  size_t done = 0;
  while (true) {
    const size_t begin = text.find(open, done);
    const size_t end = begin == std::string::npos ? begin : text.find(close, begin + 1);
    if (end == std::string::npos) break;
    result.append(text, done, begin + 1 - done);
    result += strip_space(std::string_view(text).substr(begin + 1, end - begin - 1));
    result += close;
    done = end + 1;
  }
  text = result.append(text, done);
}

// re.sub(r"/' [0-9]/", r"/'[0-9]/"): the replacement is that literal text.
void replace_slashed_digits(std::string& text) {
  constexpr std::string_view open = "/' ";
  std::string result;
  size_t done = 0;
  for (size_t at = 0; (at = text.find(open, at)) != std::string::npos;) {
    const size_t digit = at + open.size();
    const bool found = digit + 1 < text.size() && text[digit] >= '0' && text[digit] <= '9' &&
                       text[digit + 1] == '/';
    at = found ? digit + 2 : at + 1;
    if (!found) continue;
    result.append(text, done, digit - open.size() - done).append("/'[0-9]/");
    done = at;
  }
  text = result.append(text, done);
}

bool is_page_heading(std::string_view line) {
  std::string text(line);
  replace_all(text, "= = =", "===");
  replace_all(text, "= =", "==");
  const std::string_view heading = strip_space(text);
  return heading.starts_with("= ") && heading.ends_with(" =");
}

}  // namespace

std::vector<std::string> wikitext_pages(std::string_view raw) {
  std::vector<std::string> pages;
  std::string page;
  bool first_line = true;
  for (size_t start = 0; start <= raw.size();) {
    const size_t end = std::min(raw.find('\n', start), raw.size());
    const std::string_view line = raw.substr(start, end - start);
    if (is_page_heading(line)) {
      if (!strip_space(page).empty()) pages.push_back(page);
      page.clear();
      first_line = true;
    }
    if (!first_line) page += '\n';
    page += line;
    first_line = false;
    start = end + 1;
  }
  pages.push_back(page);
  return pages;
}

std::string detokenize_wikitext(std::string page) {
  using Pair = std::pair<std::string_view, std::string_view>;
  replace_all(page, "s '", "s'");
  replace_slashed_digits(page);
  constexpr std::array<Pair, 9> signs = {{{" @-@ ", "-"},
                                          {" @,@ ", ","},
                                          {" @.@ ", "."},
                                          {" : ", ": "},
                                          {" ; ", "; "},
                                          {" . ", ". "},
                                          {" ! ", "! "},
                                          {" ? ", "? "},
                                          {" , ", ", "}}};
  for (const auto& [from, to] : signs) replace_all(page, from, to);
  constexpr std::array<std::pair<char, char>, 5> brackets = {
      {{'(', ')'}, {'[', ']'}, {'{', '}'}, {'"', '"'}, {'\'', '\''}}};
  for (const auto& [open, close] : brackets) trim_inside(page, open, close);
  constexpr std::array<Pair, 8> rest = {{{"= = = =", "===="},
                                         {"= = =", "==="},
                                         {"= =", "=="},
                                         {" \u00b0 ", "\u00b0"},
                                         {" \n", "\n"},
                                         {"\n ", "\n"},
                                         {" N ", " 1 "},
                                         {" 's", "'s"}}};
  for (const auto& [from, to] : rest) replace_all(page, from, to);
  return page;
}

}  // namespace wkvq
