#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wkvq {

/// What a number format of `bits` at one place costs in quality.
struct BitChoice {
  int64_t bits = 0;
  double loss = 0;
  std::string format = {};  ///< its name; empty: whole numbers
};

/// A place of `elements` stored values and the bits it may have; one of `choices` is taken.
struct BitPlace {
  int64_t elements = 0;
  std::vector<BitChoice> choices;
};

/// An assignment that no other one beats in both size and loss.
struct FrontPoint {
  int64_t stored_bits = 0;      ///< sum over places of elements x bits
  double loss = 0;              ///< sum over places
  std::vector<size_t> choices;  ///< by place, an index into its choices
};

/// All such assignments (one where several are equal in both) in the order of rising size and so of
/// falling loss: the exact front of the multiple-choice knapsack problem, by dynamic programming
/// over places (Nemhauser and Ullmann, 1969). Exact in integers; as many points as there are
/// distinct sizes at most. Places must not be empty.
std::vector<FrontPoint> bit_front(const std::vector<BitPlace>& places);

/// The point of least loss of at most `average_bits` a value over all places; null where even the
/// smallest is larger.
const FrontPoint* best_within(const std::vector<FrontPoint>& front, double average_bits,
                              int64_t elements);

}  // namespace wkvq
