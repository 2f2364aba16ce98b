// Any bytes, in any portions, with descriptors between them: a Channel hands out what lies between
// the NULs, and closes every descriptor.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "wire/channel.h"

namespace {

using namespace emud;

constexpr std::size_t bound = 512;

void send_portion(int socket, std::string_view bytes, std::size_t fds) {
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control{};
  if (fds > 0) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * fds);
    const std::array<int, 4> same{socket, socket, socket, socket};
    std::memcpy(CMSG_DATA(part), same.data(), sizeof(int) * fds);
  }
  const ssize_t count = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  require(count == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input{reinterpret_cast<const char*>(data), size};
  auto sockets = make_socket_pair().value();
  Channel channel{std::move(sockets.second), bound};
  std::string sent;
  std::string received;
  std::size_t sent_fds = 0;
  std::size_t received_fds = 0;
  bool failed = false;

  // Each portion: its length, the number of descriptors and whether to take, then its bytes.
  while (input.size() > 2 && !failed) {
    const auto length =
        std::min<std::size_t>(static_cast<std::uint8_t>(input[0]), input.size() - 2);
    const auto control = static_cast<std::uint8_t>(input[1]);
    const std::string_view portion = input.substr(2, length);
    input.remove_prefix(2 + length);
    if (portion.empty()) continue;
    send_portion(sockets.first.get(), portion, control & 3);
    sent += portion;
    sent_fds += control & 3;
    failed = !channel.fill();
    if (!failed && (control & 4) == 0) continue;
    while (auto frame = channel.take()) {
      require(frame->json.size() <= bound);
      received += frame->json;
      received += '\0';
      received_fds += frame->fds.size();
    }
  }
  while (auto frame = channel.take()) {
    received += frame->json;
    received += '\0';
    received_fds += frame->fds.size();
  }
  require(received_fds <= sent_fds);
  require(std::string_view{sent}.starts_with(received));
  if (!failed) require(received.size() == sent.rfind('\0') + 1);  // npos + 1 is 0
  return 0;
}
