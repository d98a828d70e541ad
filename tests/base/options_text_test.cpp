#include "core/base/options/options_text.h"

#include "core/base/options/options_yaml.h"
#include "core/base/yaml/yaml_text.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

enum class Scale { kNone, kStatic };

struct Channel {
  Scale scale = Scale::kStatic;
  void visit(OptionVisitor& v) { v.choice("scale", scale, {"none", "static"}, "factor a channel"); }
};

struct Options {
  int64_t bits = 4;
  double lr = 1e-5;
  bool symmetric = false;
  std::string path;
  std::vector<int64_t> axes = {0, -1};
  Channel channel;
  void visit(OptionVisitor& v) {
    v("bits", bits, "bits a value");
    v("lr", lr, "learning rate");
    v("symmetric", symmetric, "grid around zero");
    v("path", path, "file to read");
    v("axes", axes, "axes of the groups");
    v("channel", channel, "what is done to each channel");
    v.reject("bits", "writers do not judge");
  }
};

}  // namespace

TEST_CASE("the writer gives every value in the order of declaration") {
  Options options;
  YamlWriter writer;
  writer.write(options);
  CHECK(block_text(writer.root()) ==
        "bits: 4\n"
        "lr: 1.0e-05\n"
        "symmetric: false\n"
        "path: \"\"\n"
        "axes: [0, -1]\n"
        "channel:\n"
        "  scale: static\n");
}

TEST_CASE("parts that are no options are written between") {
  Channel channel;
  YamlWriter writer;
  writer.text("name", "4");
  writer.begin_list("evaluate");
  for (const char* task : {"perplexity", "cloze"}) {
    writer.begin_item();
    writer.text("task", task);
    writer.write(channel);
    writer.end();
  }
  writer.end();
  writer.begin_map("empty");
  writer.end();
  CHECK(
      flow_text(writer.root()) ==
      "{name: \"4\", evaluate: [{task: perplexity, scale: static}, {task: cloze, scale: static}], "
      "empty: {}}");
}

namespace {

struct Plain {
  int64_t bits = 4;
  double lr = 0.1;
  std::string text;
  Channel channel;
  void visit(OptionVisitor& v) {
    v("bits", bits, "");
    v("lr", lr, "");
    v("text", text, "");
    v("channel", channel, "");
  }
};

std::string written(Plain& options) {
  YamlWriter writer;
  writer.write(options);
  return block_text(writer.root());
}

}  // namespace

TEST_CASE("what is written reads back as the same") {
  for (const char* text : {"", "true", "a: b", "\"", "null", "4", "x y"}) {
    for (double lr : {0.0, 1.0, 1e-5, 1.0 / 3, -1e300}) {
      Plain options{.bits = -7, .lr = lr, .text = text, .channel = {}};
      options.channel.scale = Scale::kNone;
      Plain back;
      const YamlNode node = parse_yaml(written(options), "s");
      read_options(node, "", back);
      CHECK(back.bits == -7);
      CHECK(back.lr == lr);
      CHECK(back.text == text);
      CHECK(back.channel.scale == Scale::kNone);
      CHECK(written(back) == written(options));
    }
  }
}

TEST_CASE("help lists name, type, default and meaning in columns") {
  Options options;
  HelpWriter writer;
  writer.write(options);
  CHECK(writer.text() ==
        "bits       integer      4        bits a value\n"
        "lr         number       1.0e-05  learning rate\n"
        "symmetric  bool         false    grid around zero\n"
        "path       text         \"\"       file to read\n"
        "axes       integers     [0, -1]  axes of the groups\n"
        "channel:                         what is done to each channel\n"
        "  scale    none|static  static   factor a channel\n");
}
