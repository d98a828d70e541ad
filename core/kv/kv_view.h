#pragma once

#include <cstdint>
#include <string>

#include "core/base/options/options.h"

namespace wkvq {

enum class ViewMode { kNone, kAll, kPast, kKivi, kTiles };

/// Which keys and values a query sees as their quantized copies, as options.
struct KvViewOptions {
  ViewMode mode = ViewMode::kPast;
  int64_t window =
      1;  ///< past: the last `window` tokens stay in full precision; kivi: residual length; tiles:
          ///< tokens that are quantized together, once all are there
  int64_t sinks = 0;    ///< past, tiles: the first `sinks` tokens stay in full precision
  int64_t prefill = 0;  ///< past: queries before this position attend in full precision

  bool operator==(const KvViewOptions&) const = default;
  void visit(OptionVisitor& v);
  /// Name in metric names and tables: none, all, past, past-w32-s4, past-p256, kivi-w128,
  /// tiles-w128-s128.
  std::string name() const;
};

/// The mask M[t, s] (s <= t) of one of keys or values: true where query t sees token s quantized.
/// Every mode has the shape
///   M[t, s] = t >= prefill and sinks <= s < bound(t),   bound non-decreasing,
/// so one parallel pass over query chunks serves them all (docs/design.md).
class KvMask {
 public:
  KvMask(const KvViewOptions& options, bool is_key) : options_(options), is_key_(is_key) {}

  int64_t prefill() const { return options_.mode == ViewMode::kPast ? options_.prefill : 0; }
  int64_t sinks() const {
    const bool kept = options_.mode == ViewMode::kPast || options_.mode == ViewMode::kTiles;
    return kept ? options_.sinks : 0;
  }

  /// One past the last token that query t may see quantized, before prefill and sinks are looked
  /// at.
  int64_t bound(int64_t t) const;

  bool quantized(int64_t t, int64_t s) const {
    return t >= prefill() && s >= sinks() && s < bound(t);
  }

 private:
  KvViewOptions options_;
  bool is_key_;
};

}  // namespace wkvq
