// emuctl's side of the conversation with emud: one blocking connection.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/channel.h"
#include "wire/messages.h"

namespace emud::ctl {

// What came back on a call that went well, with the descriptors of its message.
struct Answer {
  std::string parameters;  // JSON object as text
  std::vector<UniqueFd> fds;
};

// Takes the parameters of a reply that announces more; its error ends the call.
using ReplyHandler = std::function<Result<>(const std::string& parameters)>;
using ProgressHandler = std::function<void(const wire::Progress&)>;

inline constexpr int silence_limit_ms = 5000;

class Client {
 public:
  // Connects to the socket at that path. Each reason why it is not emud's or cannot be reached has
  // its message: not_found (no such socket), system with ECONNREFUSED (nobody listens),
  // permission_denied, timed_out, invalid_argument (a path longer than a socket's name may be).
  [[nodiscard]] static Result<Client> connect(const std::string& path,
                                              int limit_ms = silence_limit_ms);

  // Over a socket that is connected already; `path` names it in errors.
  Client(UniqueFd socket, std::string path, int limit_ms = silence_limit_ms);

  // Calls a method and waits for its answer. The Error of an error reply, or protocol, naming the
  // socket, for a peer that hangs up or does not speak Varlink. There is no limit to the time emud
  // may take; but a peer that is silent for limit_ms is asked on a second connection who it is, and
  // if that is not answered in limit_ms either: timed_out.
  [[nodiscard]] Result<Answer> call(std::string_view method, std::string parameters,
                                    std::vector<UniqueFd> fds = {});

  // The same with `more`: replies that announce another go to on_reply.
  [[nodiscard]] Result<Answer> call_more(std::string_view method, std::string parameters,
                                         std::vector<UniqueFd> fds, const ReplyHandler& on_reply);

  // From now on silence is no trouble: for a call whose answers come when something happens.
  void wait_for_ever() { limit_ms_ = -1; }

  // The connection, for those who wait for its end.
  [[nodiscard]] int fd() const { return channel_.fd(); }

  // The parameters of a reply as a message; protocol if they are not.
  template <class Message>
  [[nodiscard]] Result<Message> decode(const std::string& parameters) const {
    auto decoded = wire::from_json<Message>(parameters);
    if (!decoded) return protocol_failure(decoded.error());
    return decoded;
  }

 private:
  [[nodiscard]] Result<> transmit(const wire::Call& call, std::vector<UniqueFd> fds);
  [[nodiscard]] Result<Frame> receive();
  [[nodiscard]] bool peer_answers() const;
  [[nodiscard]] Failure protocol_failure(const Error& cause) const;

  Channel channel_;
  std::string path_;
  int limit_ms_;
};

// io.emud.Manager.<method>, with typed parameters and reply.
template <class Reply, class Call>
[[nodiscard]] Result<Reply> ask(Client& client, std::string_view method, const Call& call) {
  EMUD_ASSIGN(const Answer answer, client.call(method, wire::to_json(call)));
  return client.decode<Reply>(answer.parameters);
}

// The same for a method that streams its progress. The descriptors of the last reply come with it.
template <class Reply, class Call>
[[nodiscard]] Result<std::pair<Reply, std::vector<UniqueFd>>> ask_with_progress(
    Client& client, std::string_view method, const Call& call, std::vector<UniqueFd> fds,
    const ProgressHandler& progress) {
  const auto on_reply = [&](const std::string& parameters) -> Result<> {
    EMUD_ASSIGN(const Reply reply, client.decode<Reply>(parameters));
    if (reply.progress) progress(*reply.progress);
    return {};
  };
  EMUD_ASSIGN(Answer answer,
              client.call_more(method, wire::to_json(call), std::move(fds), on_reply));
  EMUD_ASSIGN(Reply reply, client.decode<Reply>(answer.parameters));
  return std::pair{std::move(reply), std::move(answer.fds)};
}

}  // namespace emud::ctl
