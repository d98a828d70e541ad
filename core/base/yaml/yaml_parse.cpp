#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/base/text/visible_text.h"
#include "core/base/yaml/yaml_node.h"

namespace wkvq {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 100'000;

struct Extent {
  size_t nodes = 1;
  size_t depth = 1;
  void add(const Extent& child) {
    nodes += child.nodes;
    depth = std::max(depth, child.depth + 1);
  }
};

Extent extent_of(const YamlNode& node) {
  Extent extent;
  for (const auto& item : node.items) extent.add(extent_of(item));
  for (const auto& entry : node.entries) extent.add(extent_of(entry.value));
  return extent;
}

bool is_control(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return (byte < 0x20 && letter != '\t' && letter != '\n' && letter != '\r') || byte == 0x7f;
}

/// Bytes of the UTF-8 sequence at `text`[`at`]; 0 where it is malformed, overlong or a surrogate.
size_t utf8_length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (byte(0) < 0x80) return 1;
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool outside = (byte(0) == 0xed && byte(1) > 0x9f) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : length;
}

void require_text(std::string_view text, const std::string& source) {
  int64_t line = 1;
  size_t line_start = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = is_control(text[at]) ? 0 : utf8_length(text, at);
    if (length == 0) {
      config_error("{}:{}:{}: byte 0x{:02x} is not text, expected YAML in UTF-8", source, line,
                   at - line_start + 1, static_cast<unsigned char>(text[at]));
    }
    if (text[at] == '\n') {
      ++line;
      line_start = at + 1;
    }
    at += length;
  }
}

/// Builds YamlNodes from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& source, bool has_lines)
      : source_(std::make_shared<const std::string>(source)), has_lines_(has_lines) {}

  YamlNode root;

  std::string where(const YAML::Mark& mark) const { return place({}, mark).where(); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) fail(mark, "a second document ('---'), expected one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(place({}, mark), anchor, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    require_no_tag(mark, tag);
    for (char letter : value) {
      if (is_control(letter)) fail(mark, "a control character inside a text");
    }
    add(place(YamlNode::scalar(value, tag == "!"), mark), anchor, mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(mark, "an alias inside the value that it names");
    if (wants_key()) fail(mark, "an alias as a key, expected a word");
    charge(extent_of(found->second), mark);
    add(found->second, 0, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    begin(place(YamlNode::list(), mark), tag, anchor, mark);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    begin(place(YamlNode::map(), mark), tag, anchor, mark);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    YAML::Mark mark;
    std::optional<YamlNode> key;  ///< of the value that comes next
    std::set<std::string> keys;   ///< so far: looking through the entries would be quadratic
  };

  YamlNode place(YamlNode node, const YAML::Mark& mark) const {
    node.source = source_;
    node.line = has_lines_ ? mark.line + 1 : 0;
    node.column = mark.column + 1;
    return node;
  }

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    std::vector<std::string> path;
    for (const auto& frame : stack_) {
      if (frame.key) path.push_back(shown(frame.key->text));
      if (frame.node.is_list()) path.push_back(std::to_string(frame.node.items.size()));
    }
    config_error("{}: {}{}{}", where(mark), fmt::join(path, "."), path.empty() ? "" : ": ", what);
  }

  void require_no_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fail(mark, fmt::format("the tag '{}', expected a value without tags", shown(tag)));
  }

  bool wants_key() const {
    return !stack_.empty() && stack_.back().node.is_map() && !stack_.back().key;
  }

  void charge(const Extent& extent, const YAML::Mark& mark) {
    nodes_ += extent.nodes;
    if (nodes_ > kMaxNodes) fail(mark, fmt::format("more than {} values", kMaxNodes));
    if (stack_.size() + extent.depth > kMaxDepth) {
      fail(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    }
  }

  void begin(YamlNode node, const std::string& tag, YAML::anchor_t anchor, const YAML::Mark& mark) {
    require_no_tag(mark, tag);
    if (wants_key())
      fail(mark, node.describe() + " as a key (or an open bracket), expected a word");
    charge({}, mark);
    stack_.push_back({std::move(node), anchor, mark, {}, {}});
  }

  void end() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(frame.node), frame.anchor, frame.mark);
  }

  void add(YamlNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (node.is_scalar() || node.is_null()) charge({}, mark);
    if (anchor != 0) {
      charge(extent_of(node), mark);  // the copy counts: anchors may be nested
      anchors_[anchor] = node;
    }
    if (stack_.empty()) {
      root = std::move(node);
    } else if (Frame& frame = stack_.back(); frame.node.is_list()) {
      frame.node.items.push_back(std::move(node));
    } else if (frame.key) {
      frame.node.entries.push_back({std::move(*frame.key), std::move(node)});
      frame.key.reset();
    } else {
      require_new_key(node, mark);
      frame.key = std::move(node);
    }
  }

  void require_new_key(const YamlNode& key, const YAML::Mark& mark) {
    if (key.is_null()) fail(mark, "a value without a key");
    if (key.text == "<<" && !key.quoted) {
      fail(mark, "merge keys ('<<') are not supported, write the keys out");
    }
    Frame& frame = stack_.back();
    if (frame.keys.insert(key.text).second) return;
    fail(mark, fmt::format("key '{}' is given twice, first at {}", shown(key.text),
                           frame.node.find(key.text)->key.where()));
  }

  std::shared_ptr<const std::string> source_;
  bool has_lines_;
  int documents_ = 0;
  size_t nodes_ = 0;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
};

/// yaml-cpp says "illegal map value" of a tab before a key.
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

YamlNode build(std::string_view text, const std::string& source, bool has_lines) {
  require_text(text, source);
  TreeBuilder builder(source, has_lines);
  // Where a line break ends its input, yaml-cpp takes open quotes and brackets for closed ones.
  std::istringstream stream{std::string(text) + "\n#"};
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) config_error("{}: empty, expected YAML", source);
    parser.HandleNextDocument(builder);
  } catch (const YAML::Exception& error) {
    const bool tab = is_indented_by_tab(text, error.mark.line);
    config_error("{}: not valid YAML: {}", builder.where(error.mark),
                 tab ? "indented by a tab, expected spaces" : error.msg);
  }
  return std::move(builder.root);
}

}  // namespace

YamlNode parse_yaml(std::string_view text, const std::string& source) {
  return build(text, source, true);
}

YamlNode parse_yaml_argument(std::string_view text, const std::string& source) {
  return build(text, source, false);
}

}  // namespace wkvq
