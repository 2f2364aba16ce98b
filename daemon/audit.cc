#include "daemon/audit.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "daemon/message_ids.h"
#include "daemon/users.h"
#include "wire/errors.h"

namespace emud {

namespace {

constexpr std::size_t reason_limit = 400;  // it may quote what the client has sent
constexpr std::size_t method_limit = 80;
constexpr std::size_t remembered = 1024;  // pairs of user and method

// How many were left out since the last line; none: this one is to be left out as well.
std::optional<std::size_t> count_repeated(uid_t user, const std::string& method) {
  using Clock = std::chrono::steady_clock;
  struct Repeated {
    Clock::time_point last;
    std::size_t left_out = 0;
  };
  static std::map<std::pair<uid_t, std::string>, Repeated> known;
  const auto now = Clock::now();
  const auto is_old = [now](const auto& entry) {
    return now - entry.second.last >= std::chrono::seconds{1};
  };
  if (known.size() > remembered) std::erase_if(known, is_old);
  const auto [place, is_new] = known.try_emplace({user, method}, Repeated{.last = now});
  if (!is_new && !is_old(*place)) {
    ++place->second.left_out;
    return std::nullopt;
  }
  place->second.last = now;
  return std::exchange(place->second.left_out, 0);
}

}  // namespace

Audit::Audit(const PeerCredentials& peer, std::string_view method, bool only_looks)
    : peer_(peer), method_(method.substr(0, method_limit)), only_looks_(only_looks) {}

void Audit::decided(const wire::Reply& reply) {
  reason_.clear();
  if (reply.error.empty()) {
    outcome_ = "granted";
    return;
  }
  const Error error = wire::error_of(reply);
  const bool is_refusal =
      error.code == Errc::permission_denied || error.code == Errc::limit_exceeded;
  outcome_ = is_refusal ? "refused" : "failed";
  reason_ = error.message().substr(0, reason_limit);
}

Audit::~Audit() {
  std::size_t left_out = 0;
  if (only_looks_ && outcome_ == "granted") {
    const auto counted = count_repeated(peer_.uid, method_);
    if (!counted) return;
    left_out = *counted;
  }
  const std::string user = display_name(peer_.uid);
  std::string text = fmt::format("user {} (uid {}, process {} {}) called {}: {}", user, peer_.uid,
                                 peer_.pid, peer_.program, method_, outcome_);
  if (!lease_.empty()) text += fmt::format(", lease {}", lease_);
  if (!reason_.empty()) text += fmt::format(": {}", reason_);
  if (left_out > 0) text += fmt::format(" ({} more before it)", left_out);
  log(outcome_ == "granted" ? Level::info : Level::notice, text,
      {{"MESSAGE_ID", std::string{outcome_ == "granted"   ? message_id::granted
                                  : outcome_ == "refused" ? message_id::refused
                                                          : message_id::failed}},
       {"EMUD_UID", std::to_string(peer_.uid)},
       {"EMUD_USER", user},
       {"EMUD_PID", std::to_string(peer_.pid)},
       {"EMUD_PROGRAM", peer_.program},
       {"EMUD_METHOD", method_},
       {"EMUD_LEASE", lease_},
       {"EMUD_OUTCOME", outcome_},
       {"EMUD_REASON", reason_}});
}

void audit_connection(const PeerCredentials& peer, const Error& refusal) {
  const auto left_out = count_repeated(peer.uid, "");
  if (!left_out) return;
  const std::string user = display_name(peer.uid);
  std::string text =
      fmt::format("user {} (uid {}, process {} {}) connected: refused: {}", user, peer.uid,
                  peer.pid, peer.program, refusal.message().substr(0, reason_limit));
  if (*left_out > 0) text += fmt::format(" ({} more before it)", *left_out);
  log(Level::notice, text,
      {{"MESSAGE_ID", std::string{message_id::refused}},
       {"EMUD_UID", std::to_string(peer.uid)},
       {"EMUD_USER", user},
       {"EMUD_PID", std::to_string(peer.pid)},
       {"EMUD_PROGRAM", peer.program},
       {"EMUD_METHOD", "connect"},
       {"EMUD_OUTCOME", "refused"},
       {"EMUD_REASON", refusal.message().substr(0, reason_limit)}});
}

}  // namespace emud
