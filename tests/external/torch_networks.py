"""Networks as tutorials of PyTorch have them, made smaller: modules by name, with the shapes of one example."""

from functools import partial
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10)), [(1, 8, 8)]


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 5, 3), nn.Tanh(), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(nn.Linear(20, 12), nn.Tanh(), nn.Linear(12, 4))

    def forward(self, x):
        x = self.features(x)
        x = torch.flatten(x, 1)
        return self.classifier(x)


def vgg_layers(sizes):
    made, channels = [], 3
    for size in sizes:
        if size == "M":
            made += [nn.MaxPool2d(kernel_size=2, stride=2)]
        else:
            made += [nn.Conv2d(channels, size, kernel_size=3, padding=1), nn.BatchNorm2d(size), nn.ReLU(inplace=True)]
            channels = size
    return nn.Sequential(*made)


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = vgg_layers([4, "M", 6, 6, "M"])
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Linear(24, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 3))

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(x.view(x.size(0), -1))


class BasicBlock(nn.Module):
    def __init__(self, given, made, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(given, made, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(made)
        self.conv2 = nn.Conv2d(made, made, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(made)
        self.shortcut = nn.Sequential()
        if stride != 1 or given != made:
            self.shortcut = nn.Sequential(nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(BasicBlock(4, 4), BasicBlock(4, 4))
        self.layer2 = nn.Sequential(BasicBlock(4, 6, 2))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        out = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        out = F.avg_pool2d(out, out.size()[3])
        return self.fc(out.view(out.size(0), -1))


class DoubleConv(nn.Module):
    def __init__(self, given, made):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(given, made, 3, padding=1),
            nn.BatchNorm2d(made),
            nn.ReLU(inplace=True),
            nn.Conv2d(made, made, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    """Pictures in, pictures out; up by a transposed convolution or by repeating, the seam padded as tutorials do."""

    def __init__(self, upsample="transposed"):
        super().__init__()
        self.inc, self.down = DoubleConv(1, 3), nn.Sequential(nn.MaxPool2d(2), DoubleConv(3, 6))
        self.up = (
            nn.ConvTranspose2d(6, 3, kernel_size=2, stride=2)
            if upsample == "transposed"
            else nn.Sequential(nn.Upsample(scale_factor=2, mode=upsample), nn.Conv2d(6, 3, 1))
        )
        self.conv, self.outc = DoubleConv(6, 3), nn.Conv2d(3, 1, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down(x1)
        x = self.up(x2)
        diff_y, diff_x = x1.size()[2] - x.size()[2], x1.size()[3] - x.size()[3]
        x = F.pad(x, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        return self.outc(self.conv(torch.cat([x1, x], dim=1)))


class LSTMClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 5, padding_idx=0)
        self.lstm, self.fc = nn.LSTM(5, 6, num_layers=2, batch_first=True, dropout=0.2), nn.Linear(6, 2)

    def forward(self, x):
        _, (hidden, _) = self.lstm(self.embedding(x))
        return self.fc(hidden[-1])


class ZeroState(nn.Module):
    """First states written out, as many tutorials do."""

    def __init__(self):
        super().__init__()
        self.hidden_size, self.num_layers = 6, 1
        self.lstm, self.fc = nn.LSTM(4, 6, 1, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        out, _ = self.lstm(x, (h0, c0))
        return self.fc(out[:, -1, :])


class Seq2Seq(nn.Module):
    """An encoder whose last state is repeated to a decoder."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.GRU(3, 6, batch_first=True), nn.GRU(6, 6, batch_first=True)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        _, state = self.encoder(x)
        repeated = state[-1].unsqueeze(1).repeat(1, 4, 1)
        found, _ = self.decoder(repeated)
        return self.out(found)


class StateHanded(nn.Module):
    """A decoder that begins with the encoder's last state."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.LSTM(3, 6, batch_first=True), nn.LSTM(2, 6, batch_first=True)
        self.out = nn.Linear(6, 2)

    def forward(self, source, target):
        _, state = self.encoder(source)
        found, _ = self.decoder(target, state)
        return self.out(found)


class BiGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.fc = nn.GRU(4, 5, num_layers=2, batch_first=True, bidirectional=True), nn.Linear(10, 3)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out.mean(dim=1))


class BiLast(nn.Module):
    """The last step of both directions, as many write it."""

    def __init__(self):
        super().__init__()
        self.gru, self.fc = nn.GRU(4, 5, batch_first=True, bidirectional=True), nn.Linear(10, 3)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out[:, -1, :])


class TextCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 5)
        self.convs = nn.ModuleList([nn.Conv1d(5, 4, k) for k in (2, 3, 4)])
        self.dropout, self.fc = nn.Dropout(0.5), nn.Linear(12, 2)

    def forward(self, x):
        x = self.embedding(x).permute(0, 2, 1)
        pooled = [F.max_pool1d(F.relu(conv(x)), conv(x).shape[2]).squeeze(2) for conv in self.convs]
        return self.fc(self.dropout(torch.cat(pooled, dim=1)))


class TextCNN2d(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 5)
        self.convs = nn.ModuleList([nn.Conv2d(1, 4, (k, 5)) for k in (2, 3)])
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = self.embedding(x).unsqueeze(1)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        x = [F.max_pool1d(item, item.size(2)).squeeze(2) for item in x]
        return self.fc(torch.cat(x, 1))


class TextMax(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.conv, self.fc = nn.Embedding(20, 5), nn.Conv1d(5, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        x = F.relu(self.conv(self.embedding(x).transpose(1, 2)))
        return self.fc(x.max(dim=2)[0])


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 16), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


class ConvAutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU()
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.decoder(self.encoder(x))


class VAEEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc_mu, self.fc_logvar = nn.Linear(16, 8), nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        h = F.relu(self.fc1(x.view(-1, 16)))
        return self.fc_mu(h), self.fc_logvar(h)


class VAE(VAEEncoder):
    """Drawn in training, its mean at inference."""

    def __init__(self):
        super().__init__()
        self.fc3 = nn.Linear(3, 16)

    def forward(self, x):
        mu, logvar = super().forward(x)
        std = torch.exp(0.5 * logvar)
        return torch.sigmoid(self.fc3(mu + torch.randn_like(std) * std))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(5, 6, 4, 1, 0, bias=False), nn.BatchNorm2d(6), nn.ReLU(True),
            nn.ConvTranspose2d(6, 3, 4, 2, 1, bias=False), nn.BatchNorm2d(3), nn.ReLU(True),
            nn.ConvTranspose2d(3, 1, 4, 2, 1, bias=False), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        return self.main(z)


class LinearGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(5, 6 * 2 * 2))
        self.blocks = nn.Sequential(
            nn.BatchNorm2d(6), nn.Upsample(scale_factor=2), nn.Conv2d(6, 4, 3, stride=1, padding=1), nn.BatchNorm2d(4, 0.8),
            nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(4, 1, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, z):
        out = self.l1(z)
        out = out.view(out.shape[0], 6, 2, 2)
        return self.blocks(out)


def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 4, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(4, 6, 4, 2, 1, bias=False), nn.BatchNorm2d(6),
        nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(6, 1, 2, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(),
    ), [(1, 8, 8)]  # fmt: skip


class MobileBlock(nn.Module):
    def __init__(self, given, made, stride, expand=2):
        super().__init__()
        self.use_res_connect = stride == 1 and given == made
        hidden = given * expand
        self.conv = nn.Sequential(
            nn.Conv2d(given, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False), nn.BatchNorm2d(hidden), nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, made, 1, bias=False), nn.BatchNorm2d(made),
        )  # fmt: skip

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


def mobile_net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.Hardswish(),
        MobileBlock(4, 4, 1),
        MobileBlock(4, 6, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ), [(3, 8, 8)]


class Encoder(nn.Module):
    """A transformer's encoder, with positions that are learned, and the mean over time."""

    def __init__(self, **options):
        super().__init__()
        self.embedding = nn.Linear(3, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)
        self.encoder, self.fc = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False), nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.encoder(self.embedding(x)).mean(dim=1))


class Block(nn.Module):
    """A transformer's block with torch.nn.MultiheadAttention."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8), nn.Dropout(0.1))

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Cross(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.fc = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

    def forward(self, x, memory):
        found, _ = self.attention(x, memory, memory)
        return self.fc(found)


class Decoder(nn.Module):
    """A transformer's decoder: causal by a mask of numbers or of truths, or not; what it looks at in the memory may be masked too."""

    def __init__(self, count, mask="", *, is_masked=False, **options):
        super().__init__()
        layer = nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, **options)
        last = nn.LayerNorm(8) if options.get("norm_first") else None
        self.decoder, self.fc = nn.TransformerDecoder(layer, count, last) if count else layer, nn.Linear(8, 2)
        self.register_buffer("seen", torch.tensor([[False] * 4] * 4 + [[True, False, False, True]]) if is_masked else None)
        masks = {"numbers": nn.Transformer.generate_square_subsequent_mask(5), "truths": torch.ones(5, 5).triu(1) > 0}
        self.register_buffer("causal", masks.get(mask))

    def forward(self, x, memory):
        return self.fc(self.decoder(x, memory, tgt_mask=self.causal, memory_mask=self.seen))


def decoder(count, mask, first, is_masked):
    return Decoder(count, mask, is_masked=is_masked, norm_first=first), [(5, 8), (4, 8)]


class Causal(nn.Module):
    """Attention written by hand, each step looking at those before it, with positions that are a parameter."""

    def __init__(self, causal=True):
        super().__init__()
        self.n_head, self.n_embd = 2, 8
        self.c_attn, self.c_proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.register_buffer("bias", torch.tril(torch.ones(5, 5)).view(1, 1, 5, 5))
        self.causal = causal

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(b, t, self.n_head, c // self.n_head).transpose(1, 2)
        q = q.view(b, t, self.n_head, c // self.n_head).transpose(1, 2)
        v = v.view(b, t, self.n_head, c // self.n_head).transpose(1, 2)
        if self.causal == "kernel":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            att = (q @ k.transpose(-2, -1)) * (1.0 / 2.0)
            att = att.masked_fill(self.bias[:, :, :5, :5] == 0, float("-inf")) if self.causal else att
            y = F.softmax(att, dim=-1) @ v
        y = y.transpose(1, 2).contiguous().view(b, t, c)
        return self.c_proj(y)


class SingleHead(nn.Module):
    """The plain attention of lectures."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = torch.bmm(q, k.transpose(1, 2)) / 2.0
        return torch.matmul(torch.softmax(scores, dim=-1), v)


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.position = nn.Embedding(20, 8), nn.Parameter(torch.randn(1, 5, 8))
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc((self.embedding(x) + self.position).mean(1))


class Squeezed(nn.Module):
    """A picture's channels, weighed by convolutions of what they are on average."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1)
        self.weigh = nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1), nn.Sigmoid())
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d((2, 2)), nn.Flatten(), nn.Linear(16, 2))

    def forward(self, x):
        x = self.conv(x)
        return self.head(x * self.weigh(self.pool(x)))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
        self.fc = nn.Linear(4, 1)

    def forward_once(self, x):
        return self.cnn(x)

    def forward(self, one, other):
        return torch.sigmoid(self.fc(torch.abs(self.forward_once(one) - self.forward_once(other))))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.table = (
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten()),
            nn.Sequential(nn.Linear(4, 5), nn.ReLU()),
        )
        self.head = nn.Linear(3 * 16 + 5, 2)

    def forward(self, picture, row):
        return self.head(torch.cat((self.image(picture), self.table(row)), dim=1))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.bias = nn.Linear(16, 4), nn.Parameter(torch.zeros(16))

    def forward(self, x):
        h = torch.tanh(self.encoder(x))
        return F.linear(h, self.encoder.weight.t(), self.bias)


class TiedWords(nn.Module):
    """A language model whose last layer is its embedding."""

    def __init__(self):
        super().__init__()
        self.embedding, self.gru, self.out = nn.Embedding(20, 5), nn.GRU(5, 5, batch_first=True), nn.Linear(5, 20, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x):
        return self.out(self.gru(self.embedding(x))[0])


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3)
        self.conv2_drop, self.fc1, self.fc2 = nn.Dropout2d(), nn.Linear(16, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 1))
        x = F.interpolate(x, scale_factor=2)
        x = F.avg_pool2d(F.leaky_relu(x, 0.1), 1)
        x = F.adaptive_avg_pool2d(x, 2)
        x = x.reshape(-1, 16)
        x = F.dropout(F.elu(self.fc1(x)), training=self.training)
        return F.log_softmax(F.layer_norm(self.fc2(x), (3,)), dim=-1)


def nested():
    inner = nn.Sequential(nn.Linear(6, 6), nn.PReLU(), nn.Sequential(nn.Linear(6, 5), nn.PReLU(5), nn.BatchNorm1d(5)))
    return nn.Sequential(nn.Sequential(nn.Linear(4, 6), nn.SELU()), inner, nn.Linear(5, 2)), [(4,)]


class Loops(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.norms = nn.ModuleDict({"a": nn.LayerNorm(4), "b": nn.LayerNorm(4)})
        self.acts, self.head = [nn.ReLU(), nn.Tanh(), nn.SiLU()], nn.Linear(12, 2)

    def forward(self, x):
        kept = []
        for number, layer in enumerate(self.layers):
            x = self.acts[number](layer(x)) + x
            x = self.norms["a" if number % 2 else "b"](x)
            kept.append(x)
        return self.head(torch.cat(kept, dim=-1))


class PictureTransformer(nn.Module):
    """Patches of a picture as words."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, kernel_size=4, stride=4)
        self.layer, self.head = (
            nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True, activation="gelu"),
            nn.Linear(8, 3),
        )

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.layer(x)[:, 0])


class PReLUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(1, 3, 3), nn.PReLU(3), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.act(self.conv(x)).amax(dim=(2, 3)))


IDS, ROWS = "ids", "numbers"
TORCH = {
    "mlp": mlp, "lenet": lambda: (LeNet(), [(1, 12, 12)]), "vgg": lambda: (VGG(), [(3, 8, 8)]), "resnet": lambda: (ResNet(), [(3, 8, 8)]),
    "u-net": lambda: (UNet(), [(1, 8, 8)]), "u-net nearest": lambda: (UNet("nearest"), [(1, 8, 8)]),
    "u-net bilinear": lambda: (UNet("bilinear"), [(1, 8, 8)]),
    "lstm classifier": lambda: (LSTMClassifier(), [(IDS, 7)]), "zero state": lambda: (ZeroState(), [(5, 4)]),
    "seq2seq": lambda: (Seq2Seq(), [(5, 3)]), "state handed on": lambda: (StateHanded(), [(5, 3), (4, 2)]),
    "bigru": lambda: (BiGRU(), [(5, 4)]), "bigru last": lambda: (BiLast(), [(5, 4)]),
    "textcnn": lambda: (TextCNN(), [(IDS, 7)]), "textcnn 2d": lambda: (TextCNN2d(), [(IDS, 7)]),
    "text max": lambda: (TextMax(), [(IDS, 7)]),
    "autoencoder": lambda: (AutoEncoder(), [(16,)]), "conv autoencoder": lambda: (ConvAutoEncoder(), [(1, 8, 8)]),
    "vae encoder": lambda: (VAEEncoder(), [(16,)]), "vae": lambda: (VAE(), [(16,)]),
    "gan": lambda: (Generator(), [(5, 1, 1)]), "gan of a row": lambda: (LinearGenerator(), [(5,)]), "discriminator": discriminator,
    "mobilenet": mobile_net, "encoder": lambda: (Encoder(), [(5, 3)]),
    "encoder first": lambda: (Encoder(norm_first=True, activation="gelu"), [(5, 3)]),
    "block": lambda: (Block(), [(5, 8)]), "cross": lambda: (Cross(), [(5, 8), (4, 8)]),
    "causal": lambda: (Causal(), [(5, 8)]), "by hand": lambda: (Causal(causal=False), [(5, 8)]),
    "kernel": lambda: (Causal("kernel"), [(5, 8)]),
    "single head": lambda: (SingleHead(), [(5, 8)]), "positions": lambda: (Positions(), [(IDS, 5)]),
    "squeezed": lambda: (Squeezed(), [(1, 6, 6)]), "siamese": lambda: (Siamese(), [(1, 8, 8), (1, 8, 8)]),
    "two inputs": lambda: (TwoInputs(), [(1, 6, 6), (4,)]),
    "tied": lambda: (Tied(), [(16,)]), "tied words": lambda: (TiedWords(), [(IDS, 6)]), "functional": lambda: (Functional(), [(1, 8, 8)]),
    "nested": nested, "loops": lambda: (Loops(), [(4,)]), "picture transformer": lambda: (PictureTransformer(), [(1, 8, 8)]),
    "prelu": lambda: (PReLUNet(), [(1, 6, 6)]),
    **{
        f"decoder {' '.join(map(str, how))}": partial(decoder, *how)
        for how in product((0, 2), ("", "numbers", "truths"), (False, True), (False, True))
    },
    "decoder alone": lambda: (nn.TransformerDecoderLayer(8, 2, 12, batch_first=True, activation="gelu"), [(5, 8), (4, 8)]),
    "transformer": lambda: (nn.Transformer(8, 2, 1, 1, 12, batch_first=True), [(5, 8), (4, 8)]),
}  # fmt: skip
