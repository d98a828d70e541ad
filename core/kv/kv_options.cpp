#include "core/kv/kv_options.h"

#include <fmt/format.h>

#include <string_view>

#include "core/base/error.h"
#include "core/number/hadamard.h"
#include "core/number/quant_form_help.h"

namespace wkvq {

namespace {

const std::vector<std::string>& rotation_names() {
  static const std::vector<std::string> names{"none", "hadamard", "signed", "queries", "own"};
  return names;
}

void check_time(const char* who, const KvTensorOptions& options, const KvViewOptions& view) {
  if (options.group_size < 1)
    config_error(
        "method.kv: {} are grouped along time: group_size {} does not fit; expected the number "
        "of tokens",
        who, options.group_size);
  if (options.range == KvRange::kStatic || options.grid != KvGrid::kUniform || options.outliers > 0)
    config_error(
        "method.kv: {} are grouped along time: range: static, grid: nuq or normal and outliers are "
        "for groups within a token; expected axis: token, or none of them",
        who);
  if (options.group_scope == GroupScope::kToken)
    config_error(
        "method.kv: group_scope: token of the {}, but groups along time lie within a channel; "
        "expected group_scope: head, or axis: token",
        who);
  const bool is_key = std::string_view(who) == "keys";
  if (view.mode == ViewMode::kNone) return;
  if (view.mode == ViewMode::kTiles && view.window % options.group_size == 0) return;
  if (!is_key || view.mode != ViewMode::kKivi || view.window % options.group_size != 0)
    config_error(
        "method.kv: {} in groups of {} along time under view '{}': a query would see its own "
        "future; "
        "expected keys under mode kivi, or mode tiles, with a window that is a multiple of the "
        "group",
        who, options.group_size, view.name());
}

/// Combinations of grid: normal and other options that have no meaning.
void check_normal(const char* who, const KvTensorOptions& options) {
  if (options.grid != KvGrid::kNormal) {
    if (options.qjl || !options.norm_correction)
      config_error(
          "method.kv: qjl and norm_correction: false of the {} are parts of grid: normal; expected "
          "that grid",
          who);
    return;
  }
  if (!number_format(options.format).whole_numbers() || options.form != QuantForm::kMinimum)
    config_error(
        "method.kv: grid: normal of the {} has a codebook and lengths in the place of a format and "
        "its form; expected bits alone",
        who);
  if (options.range == KvRange::kStatic || options.outliers > 0 || options.channel.learns())
    config_error(
        "method.kv: grid: normal of the {} divides each group by its own length; expected neither "
        "range: static, outliers nor channel: learned",
        who);
  if (options.qjl && options.norm_correction)
    config_error(
        "method.kv: qjl of the {} is unbiased at the length that its sum has; expected "
        "norm_correction: false beside it",
        who);
}

/// Combinations of the grid's options that have no meaning.
void check_grid(const char* who, const KvTensorOptions& options) {
  const bool is_static = options.range == KvRange::kStatic, nuq = options.grid == KvGrid::kNuq;
  const NumberFormat& format = number_format(options.format);
  if (nuq && !format.whole_numbers())
    config_error(
        "method.kv: format: {} of the {} with grid: nuq, whose codes are those of a codebook; "
        "expected one of the two",
        format.name, who);
  if (is_static && format.rule != ScaleRule::kLargest)
    config_error(
        "method.kv: format: {} of the {} with range: static, but its scales follow a rule of their "
        "own; expected range: dynamic",
        format.name, who);
  if (!is_static && options.granularity != StaticGranularity::kChannel)
    config_error(
        "method.kv: granularity of the {} is that of range: static; expected group_size and "
        "group_scope with range: dynamic",
        who);
  if (options.fit_weights == FitWeights::kFisher && !nuq)
    config_error("method.kv: fit_weights: fisher of the {} fits no codebook; expected grid: nuq",
                 who);
  if (options.fit_weights == FitWeights::kFisher && options.rotate != KvRotation::kNone)
    config_error(
        "method.kv: fit_weights: fisher of the {} weighs channels, rotate mixes them; "
        "expected one of the two",
        who);
  if (options.clip != 1 &&
      (is_static || options.grid != KvGrid::kUniform || !format.whole_numbers()))
    config_error(
        "method.kv: clip of the {} narrows the range that a group has by itself; expected range: "
        "dynamic, grid: uniform and whole numbers",
        who);
  if (options.q_norm && !nuq)
    config_error("method.kv: q_norm of the {} rescales a codebook; expected grid: nuq", who);
  if ((is_static || nuq) && options.channel.learns())
    config_error(
        "method.kv: channel: learned of the {} moves what range: static and grid: nuq are fitted "
        "to; expected channel: static or none, or range: dynamic and grid: uniform",
        who);
  if ((is_static || nuq) && format.whole_numbers() && options.form != QuantForm::kMinimum)
    config_error(
        "method.kv: range: static and grid: nuq of the {} know no other form; expected form: "
        "minimum",
        who);
  if (is_static && (options.group_size != -1 || options.group_scope != GroupScope::kHead))
    config_error(
        "method.kv: range: static of the {}: every channel has its own range; expected group_size "
        "-1 and group_scope head",
        who);
}

void check_tile(const char* who, const KvTensorOptions& options, const KvViewOptions& view) {
  if (options.tile == 0) return;
  const bool whole = view.mode == ViewMode::kTiles && view.window % options.tile == 0;
  if (!whole && view.mode != ViewMode::kNone)
    config_error(
        "method.kv: tile: {} of the {} under view '{}': a query would see its own future; expected "
        "mode tiles with a window that is a multiple of it",
        options.tile, who, view.name());
  if (options.fits_grid() || options.grid != KvGrid::kUniform || options.outliers > 0 ||
      options.group_scope == GroupScope::kToken)
    config_error(
        "method.kv: tile of the {} balances the ranges of a uniform grid within heads; expected "
        "range: dynamic, grid: uniform, group_scope: head, no outliers",
        who);
  if (options.axis == KvAxis::kTime && options.group_size != options.tile)
    config_error(
        "method.kv: tile: {} of the {} with groups of {} along time; expected groups of the tile",
        options.tile, who, options.group_size);
}

void check_tensor(const char* who, const KvTensorOptions& options, const KvViewOptions& view,
                  const ModelConfig& model) {
  if (options.before_rope() && std::string_view(who) == "values")
    config_error(
        "method.kv: rope: before of the values: only keys are rotated; expected it under key:");
  if (!options.channel.tie_pairs && !options.before_rope())
    config_error(
        "method.kv: channel.tie_pairs: false of the {}, which are not keys before RoPE; expected "
        "rope: before, or none",
        who);
  if (options.identity()) return;
  check_grid(who, options);
  check_normal(who, options);
  check_tile(who, options, view);
  if (options.rotate == KvRotation::kHadamard && !is_power_of_two(model.head_dim))
    config_error(
        "method.kv: rotate: hadamard of the {} does not fit head_dim {}; expected a power of two, "
        "or rotate: signed",
        who, model.head_dim);
  if (options.fits_rotation() && (options.before_rope() || options.channel.learns()))
    config_error(
        "method.kv: rotate: {} of the {} is fitted to what attention reads; expected neither rope: "
        "before nor channel: learned",
        rotation_names()[static_cast<size_t>(options.rotate)], who);
  if (options.axis == KvAxis::kTime) return check_time(who, options, view);
  const bool head = options.group_scope == GroupScope::kHead;
  const int64_t width = head ? model.head_dim : model.head_dim * model.kv_heads;
  if (options.group_size > width)
    config_error("method.kv: group_size {} of the {} does not fit {} channels ({}){}",
                 options.group_size, who, width, head ? "head_dim" : "kv_heads x head_dim",
                 head ? "; group_scope: token lets groups span heads" : "");
  if (options.grid != KvGrid::kUniform && options.group_size != -1 &&
      width % options.group_size != 0)
    config_error(
        "method.kv: grid: {} of the {}: group_size {} does not divide {} channels; expected a "
        "divisor, or -1",
        options.grid == KvGrid::kNuq ? "nuq" : "normal", who, options.group_size, width);
}

}  // namespace

void ChannelOptions::visit(OptionVisitor& v) {
  v.choice("shift", shift, {"none", "static", "learned"},
           "subtract the middle of each channel's range");
  v.choice("scale", scale, {"none", "static", "learned"}, "divide by half of each channel's range");
  v("exponent", exponent, "power applied to the half range, 0 to 1");
  // Written only where it says something: ids of runs from before it stay.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || !tie_pairs)
    v("tie_pairs", tie_pairs, "keys before RoPE: the two channels of a pair share a scale");
  if (!(exponent >= 0 && exponent <= 1))
    v.reject("exponent", fmt::format("{}; expected 0 to 1", exponent));
}

void KvTensorOptions::visit(OptionVisitor& v) {
  const FormatFields before{format, form, scale_dtype, group_size};
  visit_format(v, bits, format);
  v("group_size", group_size, "axis token: channels, -1: all of the scope; axis time: tokens");
  v.choice("axis", axis, {"token", "time"}, "groups lie within a token or along time");
  v.choice("group_scope", group_scope, {"head", "token"}, "groups end at heads or span them");
  v.choice("form", form, quant_form_names(), kFormHelp);
  v.choice("scale_dtype", scale_dtype, scale_dtype_names(), "dtype of stored scales and minima");
  v.choice("rotate", rotate, rotation_names(),
           "mix the channels of a head before quantization, and back after it; signed: with fixed "
           "random signs; queries, own: after the eigenvectors of a covariance");
  v.choice("rope", rope, {"after", "before"},
           "keys are transformed and quantized after RoPE or before it");
  v.choice("range", range, {"dynamic", "static"},
           "every group's own range, or each channel's range in the calibration text");
  // Written only where it says something: ids of runs from before it stay.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || granularity != StaticGranularity::kChannel)
    v.choice("granularity", granularity, {"channel", "head", "tensor"},
             "range: static: what shares a range");
  v.choice("grid", grid, {"uniform", "nuq", "normal"},
           "equal steps, one fitted codebook of 2^bits values a layer, or that of a normal "
           "distribution for directions");
  if (v.purpose() != OptionVisitor::Purpose::kWrite || tile != 0)
    v("tile", tile,
      "tokens of a tile, whose ranges are balanced over tokens and channels; 0: no tiles");
  if (v.purpose() != OptionVisitor::Purpose::kWrite || clip != 1)
    v("clip", clip, "grid: uniform: factor on both ends of a group's range; above 0, at most 1");
  // As granularity: written where it says something.
  if (v.purpose() != OptionVisitor::Purpose::kWrite || grid == KvGrid::kNormal) {
    v("norm_correction", norm_correction,
      "grid: normal: groups are read with the length of those stored");
    v("qjl", qjl, "grid: normal: one of the bits is the sign of the residual, projected at random");
  }
  v.choice("fit_weights", fit_weights, {"none", "fisher"},
           "weights of the codebook's fit: equal, or squared gradients of the model's loss");
  v("q_norm", q_norm,
    "values of the codebook are read with the mean and standard deviation of the calibration text");
  v("outliers", outliers, "share of elements kept exactly, half of it at either end; 0 to 0.5");
  v("channel", channel, "static channel shift and scale");
  const FormatFields settled = settle_format(v, {format, form, scale_dtype, group_size}, before,
                                             {{}, QuantForm::kMinimum, {}, -1});
  form = settled.form;
  scale_dtype = settled.scale_dtype;
  group_size = settled.group_size;
  check_bits(v, "bits", bits);
  if (number_format(format).tensor_limit > 0)
    v.reject("format", fmt::format("{} takes one scale from the whole tensor, which a cache that "
                                   "grows does not know; expected nvfp4_cast",
                                   number_format(format).name));
  if (group_size != -1 && group_size < 1)
    v.reject("group_size", fmt::format("{}; expected a positive number, or -1", group_size));
  if (tile < 0) v.reject("tile", fmt::format("{}; expected 0 or more", tile));
  if (!(clip > 0 && clip <= 1))
    v.reject("clip", fmt::format("{}; expected more than 0, at most 1", clip));
  if (!(outliers >= 0 && outliers <= 0.5))
    v.reject("outliers", fmt::format("{}; expected 0 to 0.5", outliers));
}

void KvOptions::visit(OptionVisitor& v) {
  both.visit(v);
  if (v.purpose() == OptionVisitor::Purpose::kRead) {
    // What is given for both goes over a method's own defaults of either.
    key.visit(v);
    value.visit(v);
  }
  // Written out only where they differ, so that equal configurations have equal text.
  const bool writing = v.purpose() == OptionVisitor::Purpose::kWrite;
  if (!writing || key != both) v("key", key, "overrides for keys: any field of kv");
  if (!writing || value != both) v("value", value, "overrides for values: any field of kv");
  v("view", view, "which keys and values a query sees quantized");
  // Written only where it says something: ids of runs from before it stay.
  if (!writing || !exact_layers.empty())
    v("exact_layers", exact_layers,
      "blocks whose cache stays exact, from 0 on; -1 is the last one: [0, -1]");
}

KvOptions KvOptions::of_layer(int64_t layer, int64_t layers) const {
  KvOptions options = *this;
  for (const int64_t exact : exact_layers)
    if (layer == (exact < 0 ? layers + exact : exact)) {
      options.both.bits = options.key.bits = options.value.bits = 16;
      options.both.format = options.key.format = options.value.format = FormatId::kInteger;
    }
  return options;
}

void check_kv_options(const KvOptions& options, const KvViewOptions& view,
                      const ModelConfig& model) {
  for (const int64_t layer : options.exact_layers)
    if (layer < -model.layers || layer >= model.layers)
      config_error("method.kv: exact_layers: {} of a model of {} blocks; expected {} to {}", layer,
                   model.layers, -model.layers, model.layers - 1);
  check_tensor("keys", options.key, view, model);
  check_tensor("values", options.value, view, model);
}

}  // namespace wkvq
