"""Networks as tutorials of PyTorch and Keras have them, brought in, differentiated, taken out and trained on: `make external` runs it."""

import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.nn import build_network

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
layers = keras.layers
RANDOM = np.random.default_rng(0)


# ---- PyTorch


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
}  # fmt: skip


def drawn(shapes):
    """Six examples for each input: ids or numbers."""
    torch.manual_seed(0)
    return tuple(
        torch.randint(0, 20, (6, *shape[1:])) if shape[0] == IDS else torch.randn(6, *shape, dtype=torch.float64)
        for shape in shapes
    )


def ours_of(given, network):
    """What our network takes: channels last where it looks at pictures, several side by side."""
    as_they_are = len(given) == 1 and network.input_shape == tuple(given[0].shape[1:])
    found = [np.moveaxis(x.numpy(), 1, -1) if x.ndim == 4 and not as_they_are else x.numpy() for x in given]
    return found[0] if len(found) == 1 else np.concatenate([x.reshape(len(x), -1) for x in found], axis=1)


def slopes_of(network, values, x, pulls):
    """Our outputs, and the gradient of their sum with weights."""
    built = build_network(network, x.shape[1:], batch=len(x), dtype="float64")
    leaves = {key: item.node for key, item in (*built.parameters.items(), *built.states.items())}
    wrt = {key: item.node for key, item in built.parameters.items()}
    pull = cr.constant(pulls.reshape(built.output.shape))
    nodes = [built.output, *cr.grad(cr.ops.sum(built.output * pull), list(wrt.values()))]
    graph = cr.Graph({f"o{place}": node for place, node in enumerate(nodes)})
    bound = {leaf: values[key] for key, leaf in leaves.items() if leaf in set(graph.nodes)} | {built.input: x}
    output, *slopes = cr.compute(nodes, bound)
    return output, dict(zip(wrt, slopes, strict=True))


def stepped(module, given):
    """The module's answers, and a copy of it after one step down; of two biases that are one here, one moves."""
    module = module.eval()
    found = module(*given)
    found = found if isinstance(found, tuple) else (found,)
    output = torch.cat([each.reshape(6, -1) for each in found], dim=1) if len(found) > 1 else found[0]
    theirs = output.detach().numpy()
    if theirs.ndim == 4:
        theirs = np.moveaxis(theirs, 1, -1)
    pulls = np.cos(np.arange(theirs.size)).reshape(theirs.shape)
    pulled = np.moveaxis(pulls, -1, 1) if pulls.ndim == 4 else pulls
    (output * torch.from_numpy(np.ascontiguousarray(pulled))).sum().backward()
    with torch.no_grad():
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                slope = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
                if "bias_hh" in name:
                    slope = slope.clone()
                    slope[: 2 * len(slope) // 3 if isinstance(part, nn.GRU) else len(slope)] = 0
                parameter -= slope
    return theirs, pulls


def seen_much(module):
    """A module whose norms have statistics and weights that are none of a new one's."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            arrays = (part.weight, part.bias, getattr(part, "running_mean", None), getattr(part, "running_var", None))
            for array in (array for array in arrays if array is not None):
                nn.init.uniform_(array, 0.3, 1.5)
    return module


def brought(name):
    torch.manual_seed(1)
    module, shapes = TORCH[name]()
    module = seen_much(module).double()
    given = drawn(shapes)
    network, values = cr.from_torch(module.eval(), given)
    torch.set_default_dtype(torch.float64)
    theirs, pulls = stepped(module, given)
    torch.set_default_dtype(torch.float32)
    again = cr.from_torch(module, given)[1]
    return network, values, given, theirs, pulls, again


# ---- Keras


def models():
    given = keras.Input

    def sequential(shape, *inner):
        return keras.Sequential([given(shape), *inner])

    yield (
        "mlp",
        sequential((8, 8), layers.Flatten(), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(10, "softmax")),
    )
    yield (
        "lenet",
        sequential(
            (12, 12, 1), layers.Conv2D(3, 3, activation="tanh", padding="same"), layers.AveragePooling2D(2),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(6, "tanh"), layers.Dense(3, "softmax"),
        ),
    )  # fmt: skip
    x = given((8, 8, 1))
    down = layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    middle = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(down))
    up = layers.concatenate([layers.Conv2DTranspose(3, 2, strides=2)(middle), down])
    yield "u-net", keras.Model(x, layers.Conv2D(1, 1, activation="sigmoid")(up))
    yield "words", sequential((7,), layers.Embedding(20, 5), layers.Bidirectional(layers.LSTM(4)), layers.Dense(1, "sigmoid"))
    yield "words masked", sequential((7,), layers.Embedding(20, 5, mask_zero=True), layers.LSTM(4), layers.Dense(1, "sigmoid"))
    yield (
        "words masked twice",
        sequential(
            (7,),
            layers.Embedding(20, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3),
            layers.Dense(1),
        ),
    )
    yield (
        "words dropped",
        sequential((7,), layers.Embedding(20, 5, mask_zero=True), layers.Dropout(0.2), layers.SimpleRNN(4), layers.Dense(1)),
    )
    yield "masking", sequential((6, 3), layers.Masking(0.0), layers.LSTM(4), layers.Dense(2))
    yield "masking of others", sequential((6, 3), layers.Masking(-1.0), layers.GRU(4, return_sequences=True), layers.Dense(2))
    yield "masking and mean", sequential((6, 3), layers.Masking(0.0), layers.GlobalAveragePooling1D(), layers.Dense(2))
    yield (
        "repeated",
        sequential(
            (5, 3),
            layers.LSTM(6),
            layers.RepeatVector(4),
            layers.LSTM(6, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ),
    )
    yield (
        "text cnn",
        sequential(
            (7,), layers.Embedding(20, 5), layers.Conv1D(4, 3, activation="relu"), layers.GlobalMaxPooling1D(), layers.Dense(2)
        ),
    )
    x = given((7,))
    h = layers.Embedding(20, 5)(x)
    yield (
        "text cnn of three",
        keras.Model(
            x,
            layers.Dense(2)(
                layers.concatenate([layers.GlobalMaxPooling1D()(layers.Conv1D(4, k, activation="relu")(h)) for k in (2, 3, 4)])
            ),
        ),
    )
    x = given((16,))
    h = layers.Dense(8, "relu")(x)
    yield "vae encoder", keras.Model(x, [layers.Dense(3)(h), layers.Dense(3)(h)])
    yield (
        "gan",
        sequential(
            (5,), layers.Dense(2 * 2 * 6, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(), layers.Reshape((2, 2, 6)),
            layers.Conv2DTranspose(4, 5, strides=2, padding="same", use_bias=False), layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh"),
        ),
    )  # fmt: skip
    x = given((8, 8, 3))
    h = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    yield "mobilenet", keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(h))))
    yield (
        "separable",
        sequential(
            (8, 8, 3), layers.SeparableConv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(2)
        ),
    )
    for name, options in {"encoder": {}, "encoder causal": {"use_causal_mask": True}}.items():
        x = given((5, 8))
        h = layers.LayerNormalization(epsilon=1e-6)(x + layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x, **options))
        h = layers.LayerNormalization(epsilon=1e-6)(h + layers.Dense(8)(layers.Dropout(0.1)(layers.Dense(16, "relu")(h))))
        yield name, keras.Model(x, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(h)))
    x, memory = given((5, 8)), given((4, 6))
    yield (
        "cross",
        keras.Model([x, memory], layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, use_bias=False)(x, memory)),
    )
    other = given((4, 7))
    yield "keys", keras.Model([x, memory, other], layers.MultiHeadAttention(2, 3)(x, memory, other))
    yield "dot", keras.Model([x, memory], layers.Attention()([layers.Dense(6)(x), memory]))
    x = given((6, 3))
    yield (
        "attention over time",
        keras.Model(x, layers.Dense(2)(layers.Dot(axes=1)([layers.Softmax(axis=1)(layers.Dense(1)(x)), x]))),
    )
    yield (
        "slopes",
        sequential(
            (6, 6, 1),
            layers.Conv2D(3, 3),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Flatten(),
            layers.Dense(4),
            layers.PReLU(),
            layers.Dense(2),
        ),
    )
    yield "slopes of places", sequential((4, 4, 1), layers.Conv2D(2, 3), layers.PReLU(), layers.Flatten(), layers.Dense(2))
    encoder = sequential((3,), layers.Dense(6, "relu"), layers.Dense(4))
    one, other = given((3,)), given((3,))
    yield "siamese", keras.Model([one, other], layers.Dense(1, "sigmoid")(layers.Subtract()([encoder(one), encoder(other)])))
    picture, row = given((6, 6, 1)), given((4,))
    both = layers.Concatenate()(
        [layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(picture)), layers.Dense(5, "relu")(row)]
    )
    yield "two inputs", keras.Model([picture, row], layers.Dense(2)(both))
    x = given((5, 3))
    _, state, cell = layers.LSTM(4, return_state=True)(x)
    y = given((4, 2))
    yield (
        "state handed on",
        keras.Model([x, y], layers.Dense(2)(layers.LSTM(4, return_sequences=True)(y, initial_state=[state, cell]))),
    )
    yield "dropped inside", sequential((5, 3), layers.LSTM(4, dropout=0.2), layers.Dense(1))
    yield "spatial", sequential((7,), layers.Embedding(20, 5), layers.SpatialDropout1D(0.2), layers.LSTM(4), layers.Dense(1))


def exactly(floats):
    """Keras in these floats, which it asks for when a model is made and when it is called."""
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)


exactly("float64")
KERAS = dict(models())
exactly("float32")


@pytest.fixture(autouse=True)
def _exact():
    exactly("float64")
    yield
    exactly("float32")


# ---- what is asked of each


NOT_TORCH = {
    "u-net bilinear": "repeat numbers a whole number of times", "state handed on": r"decoder \(LSTM\).* first state that is given",
    "vae": r"randn_like.* draws at random.* cr\.Latent", "tied": "a parameter that is used by itself",
    "tied words": r"out\.weight of TiedWords, which is embedding\.weight too", "functional": r"conv2_drop \(Dropout2d\)",
}  # fmt: skip
"""Those that are refused, and the words that say which part it is."""
NOT_KERAS = {
    "masking and mean": r"GlobalAveragePooling1D.* a mask that it takes; here recurrent layers", "attention over time": r"Softmax.* axis 1",
    "state handed on": "LSTM.* return_state", "dropped inside": "LSTM.* dropout", "spatial": "SpatialDropout1D",
}  # fmt: skip
NOT_BACK_TO_KERAS = {"words masked twice", "words dropped"}
"""Those that come in and do not go back: what an inner mask leaves out is set to zero by a function of the embedding."""


def retrained(network, values, x, out):
    """A run of two steps; pictures are flattened for the loss."""
    flat = network if out.ndim < 3 else cr.Sequential(network, cr.Flatten())
    y = np.sin(np.arange(out.size)).reshape(len(out), -1)
    return cr.fit(flat, (x, y), loss="mean_squared_error", initial=(network, values), epochs=1, batch_size=3, dtype="float64")


IN_KERAS = 3e-6
"""Keras on PyTorch multiplies matrices in float32, whatever its policy is: so near its numbers are, beside the largest."""


def near(found, wanted, *, to=1e-10):
    """Equal to what rounding leaves, in float64 unless it is said."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=to * max(1.0, np.abs(wanted).max(initial=0.0)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in TORCH if name not in NOT_TORCH])
def test_a_network_of_pytorch(name):
    network, values, given, theirs, pulls, again = brought(name)
    x = ours_of(given, network)
    out, slopes = slopes_of(network, values, x, pulls)
    near(out.reshape(6, -1), theirs.reshape(6, -1))
    for key, slope in slopes.items():
        near(values[key] - again[key], slope)
    there = cr.to_torch(network, values)
    given = given[0] if len(given) == 1 else torch.from_numpy(x)
    back, found = cr.from_torch(there, given)
    near(slopes_of(back, found, x, pulls)[0], out)
    run = retrained(network, values, x, out)
    with torch.no_grad():
        # What is flattened here stands channels last; there as they have it.
        trained = cr.to_torch(run)(given).numpy()
    near(trained, run.predict(x))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NOT_TORCH)
def test_a_network_of_pytorch_that_is_refused(name):
    with pytest.raises(OptionError, match=NOT_TORCH[name]):
        brought(name)


def examples_for(name, model):
    """Six examples for each input, of which some steps are padding where the model has masks."""
    shapes = [tuple(each.shape[1:]) for each in model.inputs]
    reads_ids = any(isinstance(layer, layers.Embedding) for layer in model.layers)
    found = [
        RANDOM.integers(0, 20, (6, *shape)).astype(float) if reads_ids else RANDOM.normal(size=(6, *shape)) for shape in shapes
    ]
    if "mask" in name:
        number = -1.0 if "others" in name else 0.0
        found[0][0, -2:], found[0][1, 1], found[0][2, :2] = number, number, number
    return found


def stepped_in_keras(model, given, pulls):
    """The model's answers; then it is one step down."""
    found = model([torch.from_numpy(x) for x in given] if len(given) > 1 else torch.from_numpy(given[0]))
    output = torch.cat(list(found), dim=1) if isinstance(found, list | tuple) else found
    weights = np.cos(np.arange(output.numel())).reshape(output.shape) if pulls is None else pulls
    model.zero_grad()
    (output * torch.from_numpy(weights)).sum().backward()
    with torch.no_grad():
        for variable in model.trainable_variables:
            slope = variable.value.grad
            if slope is not None and slope.ndim == 2 and "gru" in variable.path and variable.name == "bias":
                slope = slope.clone()
                slope[1, : 2 * slope.shape[1] // 3] = 0  # two biases that are one here
            if slope is not None:
                variable.value.sub_(slope)
    return output.detach().numpy(), weights


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in KERAS if name not in NOT_KERAS])
def test_a_network_of_keras(name):
    model = KERAS[name]
    model.set_weights([weight + RANDOM.uniform(0.05, 0.4, weight.shape) for weight in model.get_weights()])
    given = examples_for(name, model)
    network, values = cr.from_keras(model)
    theirs, pulls = stepped_in_keras(model, given, None)
    again = cr.from_keras(model)[1]
    x = given[0] if len(given) == 1 else np.concatenate([each.reshape(6, -1) for each in given], axis=1)
    out, slopes = slopes_of(network, values, x, pulls)
    near(out, theirs, to=IN_KERAS)
    for key, slope in slopes.items():
        near(values[key] - again[key], slope, to=IN_KERAS)
    if name in NOT_BACK_TO_KERAS:
        with pytest.raises(OptionError, match="in Keras"):
            cr.to_keras(network, values)
        return
    there = cr.to_keras(network, values)
    back, found = cr.from_keras(there)
    near(slopes_of(back, {key: array.astype(float) for key, array in found.items()}, x, pulls)[0], out, to=IN_KERAS)
    run = retrained(network, values, x, out)
    trained = keras.ops.convert_to_numpy(cr.to_keras(run)(x))
    near(trained, run.predict(x), to=IN_KERAS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NOT_KERAS)
def test_a_network_of_keras_that_is_refused(name):
    with pytest.raises(OptionError, match=NOT_KERAS[name]):
        cr.from_keras(KERAS[name])
